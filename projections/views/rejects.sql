CREATE OR REPLACE VIEW tallybook.rejects
(
    number UInt64 COMMENT 'Number of the reject, from 1',
    reason String COMMENT 'Why the door refused it, one word',
    message String COMMENT 'The same in a sentence, with what to change',
    field String COMMENT 'Field that is wrong, as a path; empty if none is to blame',
    fact_type String COMMENT 'Kind of fact, as far as it could be read; else empty',
    source String COMMENT 'Publishing system, as far as it could be read; else empty',
    event_id String COMMENT 'Event id, as far as it could be read; else empty',
    input String COMMENT 'Input it came from',
    input_name String COMMENT 'Name of that input as the person gave it',
    record UInt64 COMMENT 'Record in that input, from 1; 0 if unknown',
    at_line UInt64 COMMENT 'Line of text in that input, from 1; 0 where there are no lines',
    received_at DateTime64(3, 'UTC') COMMENT 'When it reached Tallybook, UTC',
    raw String COMMENT 'The original bytes',
    headers Map(String, String) COMMENT 'Headers it came with, name to text',
    resubmit_of UInt64 COMMENT 'Number of the reject that this is a new attempt of; 0 if none',
    as_of Nullable(DateTime64(3, 'UTC')) COMMENT 'Last tick, UTC; NULL before the first tick'
)
AS SELECT
    *,
    (SELECT minOrNull(at) FROM tallybook_rows.ticks FINAL) AS as_of
FROM tallybook_rows.rejects FINAL
COMMENT 'Records refused at the door; one row per reject'
