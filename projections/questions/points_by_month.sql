-- How many points were issued and expired in each month, and how many were outstanding at its end?
-- month: first local date of the month
-- issued: points awarded by facts that happened in the month
-- expired: points whose last local day was in the month
-- outstanding: points in all accounts at the end of the month
SELECT
    month,
    sumIf(toInt128(points), entry_type = 'PointsAwarded') AS issued,
    -sumIf(toInt128(points), entry_type = 'PointsExpired') AS expired,
    sum(sum(toInt128(points))) OVER (ORDER BY month) AS outstanding
FROM
(
    SELECT
        toStartOfMonth(if(entry_type = 'PointsExpired', last_day, ifNull(local_day, last_day))) AS month,
        entry_type,
        points
    FROM tallybook.ledger
    WHERE n > 0
)
GROUP BY month
ORDER BY month
