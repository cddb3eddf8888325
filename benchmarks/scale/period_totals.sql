INSERT INTO tallybook_rows.period_totals
    (edition, scope, day, member_id, seq, earned_day, earned_week, earned_month, earned_year, earned_ever, reached_at)
SELECT
    '0001',
    scope,
    day,
    member_id,
    seq,
    points,
    points * least(seq, 1 + intDiv(toDayOfWeek(day) - 1, gap)),
    points * least(seq, 1 + intDiv(toDayOfMonth(day) - 1, gap)),
    points * least(seq, 1 + intDiv(toDayOfYear(day) - 1, gap)),
    points * seq,
    occurred_at
FROM {postings}
ARRAY JOIN ['', store_id] AS scope
