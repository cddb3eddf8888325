CREATE TABLE IF NOT EXISTS tallybook_rows.zone_changes
(
    effective_from DateTime64(3, 'UTC') COMMENT 'Facts from this instant on are decided under the rules with this zone, UTC',
    partition UInt32 COMMENT 'Partition of the journal in which this copy of the publication stands, from 0',
    page UInt64 COMMENT 'Journal page of this copy, from 0',
    line UInt32 COMMENT 'Line on that page, from 0',
    timezone String COMMENT 'IANA name of the zone',
    changed_at Array(Int64) COMMENT 'Instants at which its clocks change, the first being 1970, milliseconds since 1970 in UTC',
    shift_ms Array(Int64) COMMENT 'How far its clocks are ahead of UTC from each of these instants on, milliseconds'
)
ENGINE = ReplacingMergeTree
ORDER BY (effective_from, partition, page, line)
COMMENT 'Time zones of the rules, as the books have them; one row per publication and partition'
