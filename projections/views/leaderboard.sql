CREATE OR REPLACE VIEW tallybook.leaderboard
(
    period String COMMENT 'day, week (ISO, from Monday), month, year or ever',
    starts_on Date32 COMMENT 'First local date of the period; 1970-01-01 for ever',
    store_id String COMMENT 'Store; empty for the whole programme',
    rank UInt64 COMMENT 'Place, from 1: most points, then who reached them first, then the member id',
    member_id String COMMENT 'Member',
    earned Int64 COMMENT 'Points earned (gross) by facts that happened in the period',
    reached_at DateTime64(3, 'UTC') COMMENT 'Instant at which this total was reached, UTC',
    as_of Nullable(DateTime64(3, 'UTC')) COMMENT 'Last tick, UTC: all work due by then is counted; NULL before the first tick'
)
AS SELECT
    period,
    starts_on,
    store_id,
    row_number() OVER (PARTITION BY period, starts_on, store_id ORDER BY earned DESC, reached_at, member_id) AS rank,
    member_id,
    earned,
    reached_at,
    (SELECT minOrNull(at) FROM tallybook_rows.ticks FINAL) AS as_of
FROM
(
    SELECT
        'day' AS period,
        toDate32(day) AS starts_on,
        scope AS store_id,
        member_id,
        argMax(earned_day, seq) AS earned,
        argMax(reached_at, seq) AS reached_at
    FROM tallybook_rows.period_totals FINAL
    WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL)
    GROUP BY starts_on, store_id, member_id
    UNION ALL
    SELECT
        'week' AS period,
        toDate32(toMonday(day)) AS starts_on,
        scope AS store_id,
        member_id,
        argMax(earned_week, seq) AS earned,
        argMax(reached_at, seq) AS reached_at
    FROM tallybook_rows.period_totals FINAL
    WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL)
    GROUP BY starts_on, store_id, member_id
    UNION ALL
    SELECT
        'month' AS period,
        toDate32(toStartOfMonth(day)) AS starts_on,
        scope AS store_id,
        member_id,
        argMax(earned_month, seq) AS earned,
        argMax(reached_at, seq) AS reached_at
    FROM tallybook_rows.period_totals FINAL
    WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL)
    GROUP BY starts_on, store_id, member_id
    UNION ALL
    SELECT
        'year' AS period,
        toDate32(toStartOfYear(day)) AS starts_on,
        scope AS store_id,
        member_id,
        argMax(earned_year, seq) AS earned,
        argMax(reached_at, seq) AS reached_at
    FROM tallybook_rows.period_totals FINAL
    WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL)
    GROUP BY starts_on, store_id, member_id
    UNION ALL
    SELECT
        'ever' AS period,
        toDate32(toDate32('1970-01-01')) AS starts_on,
        scope AS store_id,
        member_id,
        argMax(earned_ever, seq) AS earned,
        argMax(reached_at, seq) AS reached_at
    FROM tallybook_rows.period_totals FINAL
    WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL)
    GROUP BY starts_on, store_id, member_id
)
COMMENT 'Who earned most in each period, in the whole programme and in each store; one row per period, store and member'
