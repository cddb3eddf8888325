CREATE TABLE IF NOT EXISTS tallybook_rows.rulesets
(
    version String COMMENT 'Version of the ruleset, as its file names it',
    ruleset_hash String COMMENT 'Hash of its content, hex',
    effective_from DateTime64(3, 'UTC') COMMENT 'Facts from this instant on are decided under it, UTC',
    partition UInt32 COMMENT 'Partition of the journal in which this copy stands, from 0',
    page UInt64 COMMENT 'Journal page of this copy, from 0',
    line UInt32 COMMENT 'Line on that page, from 0',
    semantics UInt32 COMMENT 'Semantics of the decider that the publication pins',
    timezone String COMMENT 'IANA name of the zone of its dates and hours',
    text String COMMENT 'The ruleset as published, YAML'
)
ENGINE = ReplacingMergeTree
ORDER BY (version, ruleset_hash, effective_from, partition, page, line)
COMMENT 'Publications of rulesets; one row per publication and partition'
