-- How many points will expire in each coming month if nobody spends them, and how many members lose some?
-- month: first local date of the month that holds the last day of the points
-- points: points that will expire
-- members: members who have some of them
-- lots: awards they come from
SELECT
    toStartOfMonth(last_day) AS month,
    sum(toInt128(remaining)) AS points,
    uniqExact(member_id) AS members,
    count() AS lots
FROM tallybook.expiring
GROUP BY month
ORDER BY month
