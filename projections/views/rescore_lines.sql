CREATE OR REPLACE VIEW tallybook.rescore_lines
(
    run String COMMENT 'Number of the re-scoring, such as 0001',
    draft String COMMENT 'Name of the draft',
    partition UInt32 COMMENT 'Partition of the journal, from 0',
    page UInt64 COMMENT 'Journal page of the fact, from 0',
    line UInt32 COMMENT 'Line on that page, from 0',
    member_id String COMMENT 'Member whose account it is',
    rule_id String COMMENT 'Rule that awards in either world; empty for expiries',
    wallet String COMMENT 'Points currency',
    cause String COMMENT 'direct: the rule says something else; knock_on: the account was another; expiry: points expired otherwise',
    local_day Nullable(Date32) COMMENT 'Local date of the fact, or on which the points expired; NULL where no rule was asked',
    fact_type String COMMENT 'Kind of the fact; ClockTicked for points that expired at a tick',
    source String COMMENT 'Publishing system of the fact',
    event_id String COMMENT 'Id of the event in its source',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When the fact happened, UTC',
    store_id String COMMENT 'Store of the fact; empty if not given',
    points_before Int64 COMMENT 'Points under the rules of the books: awards are positive, expiries negative',
    points_after Int64 COMMENT 'Points under the draft, with the same sign',
    reason_before String COMMENT 'Why the fact earned nothing under the rules of the books; empty if it did earn',
    reason_after String COMMENT 'Why it earned nothing under the draft; empty if it did earn',
    expires_before Nullable(DateTime64(3, 'UTC')) COMMENT 'When the award expires under the rules of the books, UTC; NULL for none, or never',
    expires_after Nullable(DateTime64(3, 'UTC')) COMMENT 'When it expires under the draft, UTC; NULL for none, or never',
    as_of Nullable(DateTime64(3, 'UTC')) COMMENT 'Last tick of the books that the run read, UTC'
)
AS SELECT *
FROM tallybook_rows.rescore_lines FINAL
INNER JOIN (SELECT run, draft, as_of FROM tallybook_rows.rescore_runs FINAL) AS runs USING (run, draft)
COMMENT 'What re-scorings found: one row per fact and rule that awards otherwise, and per member and day on which other points expired'
