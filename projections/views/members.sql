CREATE OR REPLACE VIEW tallybook.members
(
    member_id String COMMENT 'Member',
    opened_at DateTime64(3, 'UTC') COMMENT 'When the fact happened that opened the account, UTC',
    opened_on Date32 COMMENT 'Local date of opened_at, in the zone of the programme',
    opened_by String COMMENT 'Kind of that fact',
    first_source String COMMENT 'Publishing system of that fact',
    first_event_id String COMMENT 'Event id of that fact',
    first_store_id String COMMENT 'Store of that fact; empty if not given',
    balance Int64 COMMENT 'Balance now, points',
    postings UInt64 COMMENT 'Postings of the account so far',
    updated_at DateTime64(3, 'UTC') COMMENT 'When the fact (or the tick) of the last posting happened, UTC',
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
    opened.opened_at AS opened_at,
    ifNull(opened.opened_on, local_date(toUnixTimestamp64Milli(opened.opened_at))) AS opened_on,
    opened.fact_type AS opened_by,
    opened.source AS first_source,
    opened.event_id AS first_event_id,
    opened.store_id AS first_store_id,
    state.balance AS balance,
    state.seq AS postings,
    state.occurred_at AS updated_at,
    (SELECT minOrNull(at) FROM tallybook_rows.ticks FINAL) AS as_of
FROM
(
    SELECT * FROM tallybook_rows.members FINAL
    WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL)
) AS opened
INNER JOIN
(
    SELECT * FROM tallybook_rows.account_states FINAL
    WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL)
) AS state ON opened.member_id = state.member_id
COMMENT 'Who has an account, since when, and what is in it; one row per member'
