-- Which publishers report late, or report the same thing again?
-- source: publishing system
-- postings: facts of members that it published
-- late: facts that came after something that happened later
-- late_share: their part, 0 to 1
-- repeats: facts that had been there before (reason duplicate)
-- conflicts: facts under a known key with another content
SELECT
    source,
    count() AS postings,
    countIf(late) AS late,
    round(late / postings, 4) AS late_share,
    countIf(reason = 'duplicate') AS repeats,
    countIf(reason = 'conflict') AS conflicts
FROM
(
    SELECT DISTINCT source, reason, late, member_id, seq
    FROM tallybook.ledger
    WHERE source != 'tallybook'
)
GROUP BY source
ORDER BY source
