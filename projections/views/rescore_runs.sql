CREATE OR REPLACE VIEW tallybook.rescore_runs
(
    run String COMMENT 'Number of the re-scoring, such as 0001; never used again',
    draft String COMMENT 'Name of the draft',
    finished_at DateTime64(3, 'UTC') COMMENT 'When it ended, UTC',
    base String COMMENT 'Edition of the ledger that it was compared with',
    is_proven Bool COMMENT 'Whether all of the base was decided again and had the digest of the ledger; a sample is not',
    accounts UInt64 COMMENT 'Members that were decided',
    members UInt64 COMMENT 'Members whose account differs',
    lines UInt64 COMMENT 'Rows of rescore_lines',
    balance_before Int64 COMMENT 'Sum of all balances under the rules of the books, points',
    balance_after Int64 COMMENT 'Sum of all balances under the draft, points',
    point_value String COMMENT 'What a point was said to be worth, as amount and currency; empty if nothing was said',
    as_of Nullable(DateTime64(3, 'UTC')) COMMENT 'Last tick of the books that it read, UTC'
)
AS SELECT
    * EXCEPT (as_of),
    as_of
FROM tallybook_rows.rescore_runs FINAL
COMMENT 'Re-scorings that are kept; one row per run and draft'
