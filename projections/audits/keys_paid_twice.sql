-- Law: a fact is paid once, however often it is sent. (Expiries come from lots, not from the fact they stand with.)
-- Rows: keys (source, event id) for which a member has awards in several postings, with the points of all of them.
SELECT edition, member_id, source, event_id, uniqExact(seq) AS postings, sum(toInt128(points)) AS points
FROM tallybook_rows.ledger FINAL
WHERE entry_type = 'PointsAwarded'
GROUP BY edition, member_id, source, event_id
HAVING postings > 1
ORDER BY edition, member_id, source, event_id
LIMIT 1000
