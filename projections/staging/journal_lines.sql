-- The lines of staged pages: one row per line; what it says is a Variant, whose type tells the kind of fact.
SELECT
    partition,
    page,
    toUInt32(n - 1) AS line,
    ifNull(journalled.member_id, '') AS member_id,
    journalled.received_at AS received_at,
    inputs[journalled.input + 1] AS input,
    journalled.record AS record,
    journalled.fact AS said
FROM {staged:Identifier}
ARRAY JOIN
    lines AS journalled,
    arrayEnumerate(lines) AS n
