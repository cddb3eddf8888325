-- Law: a marker is written after the rows it speaks of.
-- Rows: books of which fewer records are in the tables than their marker says.
SELECT marker.book AS book, marker.edition AS edition, marker.partition AS partition, marker.records AS records, rows
FROM (SELECT * FROM tallybook_rows.progress FINAL) AS marker
LEFT JOIN
(
    SELECT 'ledger' AS book, edition, partition, uniqExact(number) AS rows FROM tallybook_rows.ledger FINAL
    GROUP BY edition, partition
    UNION ALL
    SELECT 'rejects', '', 0, count() FROM tallybook_rows.rejects FINAL
) AS counted
    ON marker.book = counted.book AND marker.edition = counted.edition AND marker.partition = counted.partition
WHERE marker.book IN ('ledger', 'rejects') AND marker.records > ifNull(rows, 0)
ORDER BY book, edition, partition
LIMIT 1000
