-- The lots of one member in the order in which they would be spent; with open_only those that still hold points.
SELECT
    lot,
    points,
    remaining,
    wallet,
    toUnixTimestamp64Milli(available_at) AS available_at,
    toUnixTimestamp64Milli(expires_at) AS expires_at,
    last_day,
    rule_id,
    source,
    event_id,
    order_id,
    store_id
FROM tallybook.lots
WHERE member_id = {member:String} AND (remaining > 0 OR NOT {open_only:Bool})
ORDER BY expires_at ASC NULLS LAST, occurred_at, lot
