CREATE OR REPLACE VIEW tallybook.lots
(
    member_id String COMMENT 'Member',
    lot UInt32 COMMENT 'Lot of the account, from 1',
    points Int64 COMMENT 'Points awarded',
    remaining Int64 COMMENT 'Points left',
    wallet String COMMENT 'Points currency',
    available_at DateTime64(3, 'UTC') COMMENT 'First instant at which its points can be spent, UTC',
    expires_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First instant at which they no longer can, UTC; NULL if they never expire',
    last_day Nullable(Date32) COMMENT 'Last local date on which they can be spent; NULL if they never expire',
    rule_id String COMMENT 'Rule that awarded',
    source String COMMENT 'Publishing system of the fact that earned it',
    event_id String COMMENT 'Id of the event in its source',
    order_id String COMMENT 'Order of the fact; empty if none',
    store_id String COMMENT 'Store of the fact; empty if not given',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When the fact happened, UTC',
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
    opened.points AS points,
    -- No state means that no entry has drawn on the lot yet (seq counts from 1).
    if(ifNull(state.seq, 0) = 0, opened.points, ifNull(state.remaining, 0)) AS remaining,
    opened.wallet AS wallet,
    opened.available_at AS available_at,
    opened.expires_at AS expires_at,
    local_date(toUnixTimestamp64Milli(opened.expires_at) - 1) AS last_day,
    opened.rule_id AS rule_id,
    opened.source AS source,
    opened.event_id AS event_id,
    opened.order_id AS order_id,
    opened.store_id AS store_id,
    opened.occurred_at AS occurred_at,
    (SELECT minOrNull(at) FROM tallybook_rows.ticks FINAL) AS as_of
FROM
(
    SELECT * FROM tallybook_rows.lots FINAL
    WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL)
) AS opened
LEFT JOIN
(
    SELECT member_id, lot, seq, remaining FROM tallybook_rows.lot_states FINAL
    WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL)
) AS state ON opened.member_id = state.member_id AND opened.lot = state.lot
COMMENT 'Points of one award, with what is left of them and until when; one row per lot'
