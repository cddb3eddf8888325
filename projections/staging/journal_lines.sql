-- The lines of staged pages: one row per line; what it says is a Variant, whose type tells the kind of fact. The fields
-- are unfolded one by one: a line as a whole has so large a type that planning alone would take four times as long.
INSERT INTO {lines:Identifier} (partition, page, line, member_id, received_at, input, record, said)
SELECT
    partition,
    page,
    n - 1,
    ifNull(of_member, ''),
    line_received_at,
    inputs[line_input + 1],
    line_record,
    fact
FROM {staged:Identifier}
ARRAY JOIN
    lines.member_id AS of_member,
    lines.received_at AS line_received_at,
    lines.input AS line_input,
    lines.record AS line_record,
    lines.fact AS fact,
    arrayEnumerate(lines.record) AS n
