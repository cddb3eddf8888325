-- Law: the postings of an edition and partition are numbered 1, 2, 3, …, each once.
-- Rows: partitions in which numbers are missing, or name two postings.
SELECT
    edition,
    partition,
    uniqExact(number) AS numbers,
    max(number) AS last_number,
    uniqExact((member_id, seq)) AS postings
FROM tallybook_rows.ledger FINAL
GROUP BY edition, partition
HAVING numbers != last_number OR numbers != postings
ORDER BY edition, partition
LIMIT 1000
