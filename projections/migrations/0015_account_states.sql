CREATE TABLE IF NOT EXISTS tallybook_rows.account_states
(
    edition LowCardinality(String) COMMENT 'Edition of the ledger',
    member_id String COMMENT 'Member',
    seq UInt64 COMMENT 'Posting after which this is the state; the highest row stands',
    balance Int64 COMMENT 'Balance, points',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When the fact of that posting happened, UTC',
    fact_type LowCardinality(String) COMMENT 'Kind of that fact'
)
ENGINE = ReplacingMergeTree(seq)
PARTITION BY edition
ORDER BY (edition, member_id)
COMMENT 'State of each account after its last posting; one row per member'
