-- Law: what a member has earned ever is the sum of the days, and the sum of the awards in the ledger (gross).
-- Rows: members for whom the three disagree in the whole programme (store_id '') or in a store, points.
SELECT
    edition,
    store_id,
    member_id,
    sum(toInt128(ever)) AS earned_ever,
    sum(toInt128(days)) AS sum_of_days,
    sum(toInt128(awards)) AS sum_of_awards
FROM
(
    SELECT
        edition,
        toString(scope) AS store_id,
        member_id,
        argMax(earned_ever, seq) AS ever,
        sum(toInt128(earned_day)) AS days,
        0 AS awards
    FROM tallybook_rows.period_totals FINAL
    GROUP BY edition, store_id, member_id
    UNION ALL
    SELECT edition, arrayJoin(arrayDistinct(['', toString(store_id)])) AS scope, member_id, 0, 0, sum(toInt128(points))
    FROM tallybook_rows.ledger FINAL
    WHERE entry_type = 'PointsAwarded'
    GROUP BY edition, scope, member_id
)
GROUP BY edition, store_id, member_id
HAVING earned_ever != sum_of_days OR earned_ever != sum_of_awards
ORDER BY edition, store_id, member_id
LIMIT 1000
