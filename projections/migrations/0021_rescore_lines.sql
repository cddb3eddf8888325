CREATE TABLE IF NOT EXISTS tallybook_rows.rescore_lines
(
    run LowCardinality(String) COMMENT 'Number of the re-scoring, such as 0001',
    draft LowCardinality(String) COMMENT 'Name of the draft',
    partition UInt32 COMMENT 'Partition of the journal, from 0',
    page UInt64 COMMENT 'Journal page of the fact, from 0',
    line UInt32 COMMENT 'Line on that page, from 0',
    member_id String COMMENT 'Member whose account it is',
    rule_id LowCardinality(String) COMMENT 'Rule that awards in either world; empty for expiries',
    wallet LowCardinality(String) COMMENT 'Points currency',
    cause LowCardinality(String) COMMENT 'direct: the rule says something else; knock_on: the account was another; expiry: points expired otherwise',
    local_day Nullable(Date32) COMMENT 'Local date of the fact, or on which the points expired; NULL where no rule was asked',
    fact_type LowCardinality(String) COMMENT 'Kind of the fact; ClockTicked for points that expired at a tick',
    source LowCardinality(String) COMMENT 'Publishing system of the fact',
    event_id String COMMENT 'Id of the event in its source',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When the fact happened, UTC',
    store_id LowCardinality(String) COMMENT 'Store of the fact; empty if not given',
    points_before Int64 COMMENT 'Points under the rules of the books: awards are positive, expiries negative',
    points_after Int64 COMMENT 'Points under the draft, with the same sign',
    reason_before LowCardinality(String) COMMENT 'Why the fact earned nothing under the rules of the books; empty if it did earn',
    reason_after LowCardinality(String) COMMENT 'Why it earned nothing under the draft; empty if it did earn',
    expires_before Nullable(DateTime64(3, 'UTC')) COMMENT 'When the award expires under the rules of the books, UTC; NULL for none, or never',
    expires_after Nullable(DateTime64(3, 'UTC')) COMMENT 'When it expires under the draft, UTC; NULL for none, or never'
)
ENGINE = ReplacingMergeTree
PARTITION BY run
ORDER BY (run, draft, partition, page, line, member_id, rule_id, wallet, cause, local_day)
SETTINGS allow_nullable_key = 1
COMMENT 'What re-scorings found: one row per fact and rule that awards otherwise, and per member and day on which other points expired'
