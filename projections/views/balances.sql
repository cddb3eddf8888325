CREATE OR REPLACE VIEW tallybook.balances
(
    member_id String COMMENT 'Member',
    balance Int64 COMMENT 'Balance, points',
    postings UInt64 COMMENT 'Postings of the account so far',
    updated_at DateTime64(3, 'UTC') COMMENT 'When the fact (or the tick) of the last posting happened, UTC',
    updated_by String COMMENT 'Kind of that fact; ClockTicked for work that fell due',
    as_of Nullable(DateTime64(3, 'UTC')) COMMENT 'Last tick, UTC: all work due by then is counted; NULL before the first tick'
)
AS SELECT
    member_id,
    balance,
    seq AS postings,
    occurred_at AS updated_at,
    fact_type AS updated_by,
    (SELECT minOrNull(at) FROM tallybook_rows.ticks FINAL) AS as_of
FROM tallybook_rows.account_states FINAL
WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL)
COMMENT 'What each member has now; one row per member'
