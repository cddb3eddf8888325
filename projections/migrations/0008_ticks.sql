CREATE TABLE IF NOT EXISTS tallybook_rows.ticks
(
    partition UInt32 COMMENT 'Partition of the journal, from 0',
    at DateTime64(3, 'UTC') COMMENT 'Instant of its last tick, UTC: all work due by then is in these tables'
)
ENGINE = ReplacingMergeTree(at)
ORDER BY partition
COMMENT 'The last tick of each partition; one row per partition'
