-- One row per reject.
INSERT INTO tallybook_rows.rejects
(
    number, reason, message, field, fact_type, source, event_id, input, input_name, record, at_line, received_at, raw,
    headers, resubmit_of
)
SELECT
    number, reason, message, field, fact_type, source, event_id, input, input_name, record, at_line, received_at, raw,
    headers, resubmit_of
FROM {staged:Identifier}
