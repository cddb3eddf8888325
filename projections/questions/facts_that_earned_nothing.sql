-- What share of each kind of fact earned points, and why did the rest earn nothing?
-- fact_type: kind of fact
-- reason: why it earned nothing; empty if it earned points
-- facts: how many
-- share: their part of all facts of this kind, 0 to 1
SELECT
    fact_type,
    reason,
    count() AS facts,
    round(facts / sum(facts) OVER (PARTITION BY fact_type), 4) AS share
FROM
(
    SELECT fact_type, reason, member_id, seq
    FROM tallybook.ledger
    WHERE fact_type != 'ClockTicked'
    GROUP BY fact_type, reason, member_id, seq
)
GROUP BY fact_type, reason
ORDER BY fact_type, facts DESC, reason
