CREATE TABLE IF NOT EXISTS tallybook_rows.check_in_days
(
    edition LowCardinality(String) COMMENT 'Edition of the ledger',
    member_id String COMMENT 'Member',
    day Date32 COMMENT 'Local date held by a check-in, in the zone of the programme',
    seq UInt64 COMMENT 'Posting that held it',
    run_length UInt32 COMMENT 'Length in days of the run that ended on this day when it was held'
)
ENGINE = ReplacingMergeTree(seq)
PARTITION BY edition
ORDER BY (edition, member_id, day)
COMMENT 'Check-in days that count for streaks; one row per member and day'
