-- Who earned most from one local date until before another, in one store or ('') the whole programme. It asks the table
-- and not the view, so that only the days of the period are read.
SELECT
    row_number() OVER (ORDER BY earned DESC, reached_at, member_id) AS rank,
    member_id,
    earned,
    toUnixTimestamp64Milli(reached_at) AS reached_at
FROM
(
    SELECT
        member_id,
        argMax(
            multiIf(
                {period:String} = 'day', earned_day,
                {period:String} = 'week', earned_week,
                {period:String} = 'month', earned_month,
                {period:String} = 'year', earned_year,
                earned_ever
            ),
            seq
        ) AS earned,
        argMax(reached_at, seq) AS reached_at
    FROM tallybook_rows.period_totals FINAL
    WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL)
        AND scope = {store:String} AND day >= {first:Date32} AND day < {after:Date32}
    GROUP BY member_id
)
ORDER BY rank
LIMIT {limit:UInt32}
