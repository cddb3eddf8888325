CREATE TABLE IF NOT EXISTS tallybook_rows.lot_states
(
    edition LowCardinality(String) COMMENT 'Edition of the ledger',
    member_id String COMMENT 'Member',
    lot UInt32 COMMENT 'Lot of the account, from 1',
    seq UInt64 COMMENT 'Posting after which this is the state; the highest row stands',
    remaining Int64 COMMENT 'Points left in the lot',
    changed_at DateTime64(3, 'UTC') COMMENT 'Instant from which that counts, UTC'
)
ENGINE = ReplacingMergeTree(seq)
PARTITION BY edition
ORDER BY (edition, member_id, lot)
COMMENT 'What is left of each lot that an entry has drawn on; a lot without a row here is whole'
