-- Do members come back: how many of those who first bought in a month bought again within 90 days?
-- month: first local date of the month of the first purchase
-- buyers: members whose first purchase was then
-- came_back: those of them who bought again within 90 days
-- repeat_rate: their part, 0 to 1
-- is_complete: whether 90 days have passed since the month ended, so that the rate will not change any more
SELECT
    toStartOfMonth(first_day) AS month,
    count() AS buyers,
    countIf(second_day <= first_day + 90) AS came_back,
    round(came_back / buyers, 4) AS repeat_rate,
    toDate32(ifNull(any(as_of), toDateTime64(0, 3, 'UTC'))) > addMonths(month, 1) + 90 AS is_complete
FROM
(
    SELECT
        member_id,
        arraySort(groupArray(assumeNotNull(local_day))) AS days,
        days[1] AS first_day,
        -- A member who bought once has no second day: a date beyond any other.
        if(length(days) > 1, days[2], toDate32('2299-12-31')) AS second_day,
        any(as_of) AS as_of
    FROM (SELECT DISTINCT member_id, seq, local_day, as_of FROM tallybook.ledger WHERE purchase_rank > 0)
    WHERE local_day IS NOT NULL
    GROUP BY member_id
)
GROUP BY month
ORDER BY month
