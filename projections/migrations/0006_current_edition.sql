CREATE TABLE IF NOT EXISTS tallybook_rows.current_edition
(
    pointer UInt8 COMMENT 'Always 1: there is one pointer',
    edition LowCardinality(String) COMMENT 'The edition of the ledger that every view shows',
    version UInt64 COMMENT 'Counts the moves of the pointer from 1; the highest row stands'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY pointer
COMMENT 'Which edition is current; one row'
