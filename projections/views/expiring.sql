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
AS WITH
    -- The clocks of the programme as the books have them; ClickHouse's own zone tables may differ.
    arrayPushFront((
        SELECT argMax(changed_at, (effective_from, page, line)) FROM tallybook_rows.zone_changes FINAL
    ), -62135596800000) AS zone_changes,
    arrayPushFront((
        SELECT argMax(shift_ms, (effective_from, page, line)) FROM tallybook_rows.zone_changes FINAL
    ), 0) AS zone_shifts,
    (ms) -> toDate32(fromUnixTimestamp64Milli(
        ms + transform(roundDown(ms, zone_changes), zone_changes, zone_shifts, 0), 'UTC'
    )) AS local_date
SELECT
    opened.member_id AS member_id,
    opened.lot AS lot,
    if(ifNull(state.seq, 0) = 0, opened.points, ifNull(state.remaining, 0)) AS remaining,
    assumeNotNull(opened.expires_at) AS expires_at,
    local_date(toUnixTimestamp64Milli(assumeNotNull(opened.expires_at)) - 1) AS last_day,
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
