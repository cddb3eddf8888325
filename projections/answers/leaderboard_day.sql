-- The local date of the last tick, and the date of the last award should there be no tick yet.
SELECT coalesce(
    toDate32(toTimeZone(
        (SELECT minOrNull(at) FROM tallybook_rows.ticks FINAL),
        ifNull((SELECT argMaxOrNull(timezone, effective_from) FROM tallybook_rows.rulesets FINAL), 'UTC')
    )),
    (
        SELECT maxOrNull(day) FROM tallybook_rows.period_totals FINAL
        WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL)
    ),
    toDate32('1970-01-01')
) AS day
