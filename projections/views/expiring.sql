CREATE OR REPLACE VIEW tallybook.expiring
(
    member_id String COMMENT 'Member',
    lot UInt32 COMMENT 'Lot of the account, from 1',
    remaining Int64 COMMENT 'Points that will expire',
    expires_at DateTime64(3, 'UTC') COMMENT 'First instant at which they cannot be spent, UTC',
    last_day Date32 COMMENT 'Last local date on which they can be spent',
    rule_id String COMMENT 'Rule that awarded',
    as_of Nullable(DateTime64(3, 'UTC')) COMMENT 'Last tick, UTC: all work due by then is counted; NULL before the first tick'
)
AS SELECT
    opened.member_id AS member_id,
    opened.lot AS lot,
    if(ifNull(state.seq, 0) = 0, opened.points, ifNull(state.remaining, 0)) AS remaining,
    assumeNotNull(opened.expires_at) AS expires_at,
    toDate32(toTimeZone(assumeNotNull(opened.expires_at) - INTERVAL 1 MILLISECOND, ifNull((
        SELECT argMaxOrNull(timezone, effective_from) FROM tallybook_rows.rulesets FINAL
    ), 'UTC'))) AS last_day,
    opened.rule_id AS rule_id,
    (SELECT minOrNull(at) FROM tallybook_rows.ticks FINAL) AS as_of
FROM
(
    SELECT * FROM tallybook_rows.lots FINAL
    WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL) AND expires_at IS NOT NULL
) AS opened
LEFT JOIN
(
    SELECT member_id, lot, seq, remaining FROM tallybook_rows.lot_states FINAL
    WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL)
) AS state ON opened.member_id = state.member_id AND opened.lot = state.lot
WHERE remaining > 0
COMMENT 'Points that are still there and have an end; one row per lot'
