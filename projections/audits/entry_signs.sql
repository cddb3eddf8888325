-- Law: every type of entry has one sign: awards add points, expiries take them away. A posting without entries moves
-- nothing, and says why.
-- Rows: entries with another sign or of a type nobody declared, and empty postings that move points or give no reason.
SELECT edition, member_id, seq, n, entry_type, points, reason
FROM tallybook_rows.ledger FINAL
WHERE NOT multiIf(
    n = 0, entry_type = '' AND points = 0 AND reason != '',
    entry_type = 'PointsAwarded', points > 0,
    entry_type = 'PointsExpired', points < 0,
    false
)
ORDER BY edition, member_id, seq, n
LIMIT 1000
