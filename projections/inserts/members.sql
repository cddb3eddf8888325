-- One row per account: its first posting opened it.
INSERT INTO tallybook_rows.members
    (edition, member_id, partition, opened_at, opened_on, fact_type, source, event_id, store_id)
SELECT
    {edition:String},
    member_id,
    CRC32(member_id) % {partitions:UInt32},
    occurred_at,
    local_day,
    fact_type,
    source,
    event_id,
    store_id
FROM {staged:Identifier}
WHERE seq = 1
