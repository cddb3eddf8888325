-- The last rejects, newest first; with a reason only those.
SELECT
    number,
    reason,
    message,
    field,
    fact_type,
    source,
    event_id,
    input_name,
    record,
    at_line,
    toUnixTimestamp64Milli(received_at) AS received_at,
    length(raw) AS raw_bytes,
    resubmit_of
FROM tallybook.rejects
WHERE reason = {reason:String} OR {reason:String} = ''
ORDER BY number DESC
LIMIT {limit:UInt32}
