-- How far each book has been projected.
SELECT
    book,
    edition,
    partition,
    position,
    records,
    toUnixTimestamp64Milli(as_of) AS as_of
FROM tallybook.progress
ORDER BY book, edition, partition
