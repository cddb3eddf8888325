CREATE TABLE IF NOT EXISTS tallybook_rows.reader_views
(
    name String COMMENT 'Name of the view in the database tallybook',
    sha256 String COMMENT 'SHA-256 of the statement that made it, hex, so that another text makes it anew; empty if it was dropped',
    version UInt64 COMMENT 'Counts the changes of this view from 1; the highest row stands'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY name
COMMENT 'Which text made each reader view; one row per view'
