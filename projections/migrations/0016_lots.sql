CREATE TABLE IF NOT EXISTS tallybook_rows.lots
(
    edition LowCardinality(String) COMMENT 'Edition of the ledger',
    member_id String COMMENT 'Member',
    lot UInt32 COMMENT 'Lot of the account, from 1',
    seq UInt64 COMMENT 'Posting that opened it',
    points Int64 COMMENT 'Points awarded',
    wallet LowCardinality(String) COMMENT 'Points currency',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When the fact happened that earned it, UTC',
    available_at DateTime64(3, 'UTC') COMMENT 'First instant at which its points can be spent, UTC',
    expires_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First instant at which they no longer can, UTC; NULL if they never expire',
    rule_id LowCardinality(String) COMMENT 'Rule that awarded',
    source LowCardinality(String) COMMENT 'Publishing system of the fact',
    event_id String COMMENT 'Id of the event in its source',
    order_id String COMMENT 'Order of the fact; empty if none',
    store_id LowCardinality(String) COMMENT 'Store of the fact; empty if not given'
)
ENGINE = ReplacingMergeTree
PARTITION BY edition
ORDER BY (edition, member_id, lot)
COMMENT 'How each lot was opened; one row per award'
