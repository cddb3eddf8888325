CREATE OR REPLACE VIEW tallybook.rescore_members
(
    run String COMMENT 'Number of the re-scoring, such as 0001',
    draft String COMMENT 'Name of the draft',
    member_id String COMMENT 'Member whose account differs',
    partition UInt32 COMMENT 'Partition of the journal, from 0',
    page UInt64 COMMENT 'Journal page of the first difference, from 0',
    line UInt32 COMMENT 'Line of the first difference on that page, from 0',
    lines UInt64 COMMENT 'Rows of rescore_lines of this member',
    balance_before Int64 COMMENT 'Balance at the cut under the rules of the books, points',
    balance_after Int64 COMMENT 'Balance at the cut under the draft, points',
    earned_before Int64 COMMENT 'Points ever earned under the rules of the books',
    earned_after Int64 COMMENT 'Points ever earned under the draft',
    as_of Nullable(DateTime64(3, 'UTC')) COMMENT 'Last tick of the books that the run read, UTC'
)
AS SELECT *
FROM tallybook_rows.rescore_members FINAL
INNER JOIN (SELECT run, draft, as_of FROM tallybook_rows.rescore_runs FINAL) AS runs USING (run, draft)
COMMENT 'Members whom re-scorings found to have another account; one row per run, draft and member'
