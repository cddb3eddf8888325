-- The lines of staged pages: one row per line, with the kind of its fact and what it says.
SELECT
    partition,
    page,
    toUInt32(n - 1) AS line,
    ifNull(journalled.member_id, '') AS member_id,
    journalled.received_at AS received_at,
    inputs[journalled.input + 1] AS input,
    journalled.record AS record,
    journalled.fact AS said,
    transform(toString(variantType(said)), {types:Array(String)}, {kinds:Array(String)}, '') AS kind
FROM {staged:Identifier}
ARRAY JOIN
    lines AS journalled,
    arrayEnumerate(lines) AS n
