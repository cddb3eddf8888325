CREATE OR REPLACE VIEW tallybook.check_in_days
(
    member_id String COMMENT 'Member',
    day Date32 COMMENT 'Local date held by a check-in, in the zone of the programme',
    run_length UInt32 COMMENT 'Length in days of the run that ended on this day when it was held (missed days within the grace are not counted)',
    as_of Nullable(DateTime64(3, 'UTC')) COMMENT 'Last tick, UTC: all work due by then is counted; NULL before the first tick'
)
AS SELECT
    member_id,
    day,
    run_length,
    (SELECT minOrNull(at) FROM tallybook_rows.ticks FINAL) AS as_of
FROM tallybook_rows.check_in_days FINAL
WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL)
COMMENT 'Check-in days that count for streaks; one row per member and day'
