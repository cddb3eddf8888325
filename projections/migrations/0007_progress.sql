CREATE TABLE IF NOT EXISTS tallybook_rows.progress
(
    edition LowCardinality(String) COMMENT 'Edition of the ledger; empty for the journal and the rejects',
    partition UInt32 COMMENT 'Partition of the book, from 0; 0 for the rejects',
    book LowCardinality(String) COMMENT 'journal, ledger or rejects',
    position UInt64 COMMENT 'Position in the book after the last record whose rows are all in; the highest row stands',
    records UInt64 COMMENT 'Facts, postings or rejects up to that position'
)
ENGINE = ReplacingMergeTree(position)
ORDER BY (edition, partition, book)
COMMENT 'How far each book has been projected; written after the rows it speaks of; one row per book and partition'
