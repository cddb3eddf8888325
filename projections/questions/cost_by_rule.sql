-- What does each rule cost, and how much do its limits save?
-- rule_id: rule
-- awards: awards that it made
-- points: points that it paid
-- share: its part of all points paid, 0 to 1
-- cut_by_limits: points that it was worth but limits did not let it pay
-- members: members whom it paid
SELECT
    rule_id,
    countIf(paid > 0) AS awards,
    sum(toInt128(paid)) AS points,
    round(points / greatest(sum(points) OVER (), 1), 4) AS share,
    sum(toInt128(rounded) - paid) AS cut_by_limits,
    uniqExactIf(member_id, paid > 0) AS members
FROM tallybook.workings
GROUP BY rule_id
ORDER BY points DESC, rule_id
