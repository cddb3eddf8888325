CREATE TABLE IF NOT EXISTS tallybook_rows.journals
(
    generation UInt32 COMMENT 'Generation of the journal, from 1',
    deployment String COMMENT 'Name of the deployment whose books these rows come from',
    partitions UInt32 COMMENT 'Number of partitions of its books',
    opened_at DateTime64(3, 'UTC') COMMENT 'When the journal was opened, UTC'
)
ENGINE = ReplacingMergeTree
ORDER BY (generation, deployment, partitions, opened_at)
COMMENT 'The books these tables were made from; more than one row is a fault'
