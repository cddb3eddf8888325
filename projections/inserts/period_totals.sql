-- One row per scope in which the posting changed what was earned.
INSERT INTO tallybook_rows.period_totals
    (edition, scope, day, member_id, seq, earned_day, earned_week, earned_month, earned_year, earned_ever, reached_at)
SELECT
    {edition:String},
    total.scope,
    total.day,
    member_id,
    seq,
    total.earned_day,
    total.earned_week,
    total.earned_month,
    total.earned_year,
    total.earned_ever,
    total.reached_at
FROM {staged:Identifier}
ARRAY JOIN totals AS total
