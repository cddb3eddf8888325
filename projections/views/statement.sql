CREATE OR REPLACE VIEW tallybook.statement
(
    member_id String COMMENT 'Member whose account it is',
    seq UInt64 COMMENT 'Counts the postings of the account, from 1; the order of the statement is (seq, n)',
    n UInt32 COMMENT 'Counts the entries of the posting, from 1',
    effective_at DateTime64(3, 'UTC') COMMENT 'Instant from which the entry counts, UTC',
    entry_type String COMMENT 'PointsAwarded or PointsExpired',
    points Int64 COMMENT 'Points with their sign: awards are positive, expiries negative',
    balance_after Int64 COMMENT 'Balance of the account after this entry, points',
    rule_id String COMMENT 'Rule that awarded; empty for expiries',
    lot UInt32 COMMENT 'Lot that the entry opens or draws on, from 1',
    expires_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Awards: when the points expire, UTC; NULL if never, and for expiries',
    fact_type String COMMENT 'Kind of the fact; ClockTicked for work that fell due at a tick',
    source String COMMENT 'Publishing system of the fact',
    event_id String COMMENT 'Id of the event in its source',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When the fact happened, UTC',
    store_id String COMMENT 'Store of the fact; empty if not given',
    order_id String COMMENT 'Order of the fact; empty if none',
    late Bool COMMENT 'Whether the account already held a later instant',
    entry_id String COMMENT 'Id of the entry, for `tallybook explain`',
    as_of Nullable(DateTime64(3, 'UTC')) COMMENT 'Last tick, UTC: all work due by then is counted; NULL before the first tick'
)
AS SELECT
    member_id, seq, n, effective_at, entry_type, points, balance_after, rule_id, lot, expires_at, fact_type, source,
    event_id, occurred_at, store_id, order_id, late, entry_id,
    (SELECT minOrNull(at) FROM tallybook_rows.ticks FINAL) AS as_of
FROM tallybook_rows.ledger FINAL
WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL) AND n > 0
COMMENT 'Entries of each account with the running balance, as a bank would print them; one row per entry'
