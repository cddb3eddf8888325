-- The local date of the last tick, and the date of the last award should there be no tick yet.
WITH
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
SELECT coalesce(
    local_date(toUnixTimestamp64Milli((SELECT minOrNull(at) FROM tallybook_rows.ticks FINAL))),
    (
        SELECT maxOrNull(day) FROM tallybook_rows.period_totals FINAL
        WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL)
    ),
    toDate32('1970-01-01')
) AS day
