CREATE TABLE IF NOT EXISTS tallybook_rows.migrations
(
    number UInt32 COMMENT 'Number of the migration, from 1',
    name String COMMENT 'Name of its file without .sql',
    sha256 String COMMENT 'SHA-256 of its statement, hex: a published migration never changes'
)
ENGINE = ReplacingMergeTree
ORDER BY number
COMMENT 'Which migrations made these tables; one row per migration'
