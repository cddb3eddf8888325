CREATE TABLE IF NOT EXISTS tallybook_rows.rejects
(
    number UInt64 COMMENT 'Number of the reject, from 1 in its deployment',
    reason LowCardinality(String) COMMENT 'Why the door refused it, one word',
    message String COMMENT 'The same in a sentence, with what to change',
    field String COMMENT 'Field that is wrong, as a path; empty if none is to blame',
    fact_type LowCardinality(String) COMMENT 'Kind of fact, as far as it could be read; else empty',
    source String COMMENT 'Publishing system, as far as it could be read; else empty',
    event_id String COMMENT 'Event id, as far as it could be read; else empty',
    input LowCardinality(String) COMMENT 'Input it came from',
    input_name LowCardinality(String) COMMENT 'Name of that input as the person gave it',
    record UInt64 COMMENT 'Record in that input, from 1; 0 if unknown',
    at_line UInt64 COMMENT 'Line of text in that input, from 1; 0 where there are no lines',
    received_at DateTime64(3, 'UTC') COMMENT 'When it reached Tallybook, UTC',
    raw String COMMENT 'The original bytes',
    headers Map(LowCardinality(String), String) COMMENT 'Headers it came with, name to text',
    resubmit_of UInt64 COMMENT 'Number of the reject that this is a new attempt of; 0 if none'
)
ENGINE = ReplacingMergeTree
ORDER BY number
COMMENT 'Records refused at the door; one row per reject'
