CREATE TABLE IF NOT EXISTS tallybook_rows.members
(
    edition LowCardinality(String) COMMENT 'Edition of the ledger',
    member_id String COMMENT 'Member',
    partition UInt32 COMMENT 'Partition in which the account lives, from 0',
    opened_at DateTime64(3, 'UTC') COMMENT 'When the fact happened that opened the account, UTC',
    opened_on Nullable(Date32) COMMENT 'Local date of opened_at, in the zone of the programme; NULL where no rule was asked',
    fact_type LowCardinality(String) COMMENT 'Kind of that fact',
    source LowCardinality(String) COMMENT 'Publishing system of that fact',
    event_id String COMMENT 'Event id of that fact',
    store_id LowCardinality(String) COMMENT 'Store of that fact; empty if not given'
)
ENGINE = ReplacingMergeTree
PARTITION BY edition
ORDER BY (edition, member_id)
COMMENT 'How each account was opened; one row per member'
