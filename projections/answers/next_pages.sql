-- The page of the journal after the last one of each partition that has facts in the tables.
SELECT partition, max(page) + 1 AS page FROM tallybook_rows.facts GROUP BY partition
