CREATE OR REPLACE VIEW tallybook.rulesets
(
    version String COMMENT 'Version of the ruleset, as its file names it',
    ruleset_hash String COMMENT 'Hash of its content, hex',
    effective_from DateTime64(3, 'UTC') COMMENT 'Facts from this instant on are decided under it, UTC',
    semantics UInt32 COMMENT 'Semantics of the decider that the publication pins',
    timezone String COMMENT 'IANA name of the zone of its dates and hours',
    text String COMMENT 'The ruleset as published, YAML',
    as_of Nullable(DateTime64(3, 'UTC')) COMMENT 'Last tick, UTC; NULL before the first tick'
)
AS SELECT
    version,
    ruleset_hash,
    effective_from,
    any(semantics) AS semantics,
    any(timezone) AS timezone,
    any(text) AS text,
    (SELECT minOrNull(at) FROM tallybook_rows.ticks FINAL) AS as_of
FROM tallybook_rows.rulesets FINAL
GROUP BY version, ruleset_hash, effective_from
COMMENT 'Rules as the journal publishes them; one row per publication'
