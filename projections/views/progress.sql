CREATE OR REPLACE VIEW tallybook.progress
(
    book String COMMENT 'journal, ledger or rejects',
    edition String COMMENT 'Edition of the ledger; empty for the journal and the rejects',
    partition UInt32 COMMENT 'Partition of the book, from 0; 0 for the rejects',
    position UInt64 COMMENT 'Position in the book up to which everything is in these views',
    records UInt64 COMMENT 'Journal lines, postings or rejects up to there',
    as_of Nullable(DateTime64(3, 'UTC')) COMMENT 'Last tick, UTC; NULL before the first tick'
)
AS SELECT
    book,
    edition,
    partition,
    position,
    records,
    (SELECT minOrNull(at) FROM tallybook_rows.ticks FINAL) AS as_of
FROM tallybook_rows.progress FINAL
WHERE edition IN ('', (SELECT any(edition) FROM tallybook_rows.current_edition FINAL))
COMMENT 'How far the books have been projected; one row per book and partition'
