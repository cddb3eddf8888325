-- Law: these tables are filled from one journal.
-- Rows: the journals, if there are several.
SELECT deployment, generation, partitions, opened_at
FROM tallybook_rows.journals FINAL
WHERE (SELECT count() FROM tallybook_rows.journals FINAL) > 1
ORDER BY generation, deployment, partitions, opened_at
LIMIT 1000
