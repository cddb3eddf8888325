CREATE OR REPLACE VIEW tallybook.ledger
(
    member_id String COMMENT 'Member whose account it is',
    seq UInt64 COMMENT 'Counts the postings of the account, from 1',
    n UInt32 COMMENT 'Counts the entries of the posting, from 1; 0 for a posting without entries',
    partition UInt32 COMMENT 'Partition of the ledger, from 0',
    number UInt64 COMMENT 'Number of the posting in its partition',
    page UInt64 COMMENT 'Folio: journal page of the fact, from 0',
    line UInt32 COMMENT 'Folio: line on that page, from 0',
    sub UInt32 COMMENT 'Folio: counts the postings of one tick, from 0',
    fact_type String COMMENT 'Kind of the fact; ClockTicked for work that fell due at a tick',
    source String COMMENT 'Publishing system of the fact',
    event_id String COMMENT 'Id of the event in its source',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When the fact happened, UTC',
    local_day Nullable(Date32) COMMENT 'Local date on which it happened, as the rules saw it; NULL where no rule was asked',
    store_id String COMMENT 'Store of the fact; empty if not given',
    order_id String COMMENT 'Order of the fact; empty if none',
    reason String COMMENT 'Why the fact itself earned nothing; empty if it did earn',
    late Bool COMMENT 'Whether the account already held a later instant',
    ruleset_version String COMMENT 'Version of the rules that decided it; empty if none did',
    ruleset_hash String COMMENT 'Hash of those rules, hex; empty if none did',
    semantics UInt32 COMMENT 'Semantics of the decider; 0 if no rule was asked',
    purchase_rank UInt32 COMMENT 'Rank among all purchases of the member, from 1; 0 if no purchase counted',
    claim_opened UInt32 COMMENT 'Rank of the claim on this member that the fact opened, from 1; 0 if none',
    claim_paid String COMMENT 'Claim settled for this account, as referee/rank; empty if none',
    entry_id String COMMENT 'Id of the entry; empty if the posting has none',
    entry_type String COMMENT 'PointsAwarded or PointsExpired; empty if the posting has no entry',
    points Int64 COMMENT 'Points with their sign: awards are positive, expiries negative; 0 without entry',
    balance_after Int64 COMMENT 'Balance of the account after this entry, points',
    effective_at DateTime64(3, 'UTC') COMMENT 'Instant from which the entry counts, UTC; occurred_at without entry',
    last_day Date32 COMMENT 'Local date of the instant just before effective_at: for an expiry, the last day of the points',
    lot UInt32 COMMENT 'Lot that the entry opens or draws on, from 1; 0 without entry',
    rule_id String COMMENT 'Rule that awarded; empty for expiries and without entry',
    wallet String COMMENT 'Points currency',
    available_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Awards: first instant at which the points can be spent, UTC; else NULL',
    expires_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Awards: first instant at which they no longer can, UTC; NULL if they never expire',
    corrects String COMMENT 'Id of the entry that this one corrects; empty if none',
    as_of Nullable(DateTime64(3, 'UTC')) COMMENT 'Last tick, UTC: all work due by then is counted; NULL before the first tick'
)
AS WITH
    -- The clocks of the programme as the books have them; ClickHouse's own zone tables may differ.
    arrayPushFront((
        SELECT argMax(changed_at, (effective_from, page, line)) FROM tallybook_rows.zone_changes FINAL
    ), -62135596800000) AS zone_changes,
    arrayPushFront((
        SELECT argMax(shift_ms, (effective_from, page, line)) FROM tallybook_rows.zone_changes FINAL
    ), 0) AS zone_shifts,
    (ms) -> toDate32(fromUnixTimestamp64Milli(
        ms + transform(roundDown(ms, zone_changes), zone_changes, zone_shifts, 0), 'UTC'
    )) AS local_date
SELECT
    * EXCEPT (edition),
    local_date(toUnixTimestamp64Milli(effective_at) - 1) AS last_day,
    (SELECT minOrNull(at) FROM tallybook_rows.ticks FINAL) AS as_of
FROM tallybook_rows.ledger FINAL
WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL)
COMMENT 'The ledger in full; one row per entry, and one for each posting without entries'
