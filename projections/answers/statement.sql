-- The last entries of one account with the running balance, oldest first.
SELECT
    seq,
    n,
    toUnixTimestamp64Milli(effective_at) AS effective_at,
    entry_type,
    points,
    balance_after,
    rule_id,
    lot,
    toUnixTimestamp64Milli(expires_at) AS expires_at,
    fact_type,
    source,
    event_id,
    toUnixTimestamp64Milli(occurred_at) AS occurred_at,
    store_id,
    order_id,
    late,
    entry_id
FROM
(
    SELECT * FROM tallybook.statement
    WHERE member_id = {member:String}
    ORDER BY seq DESC, n DESC
    LIMIT {limit:UInt32}
)
ORDER BY seq, n
