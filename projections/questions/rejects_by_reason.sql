-- What is refused at the door, and what has to be mended where?
-- input_name: input as the person named it
-- reason: why it was refused
-- field: field to blame; empty if none
-- rejects: how many
-- first_number: the first of them, for `tallybook rejects show`
-- example: what the door said of it
SELECT
    input_name,
    reason,
    field,
    count() AS rejects,
    min(number) AS first_number,
    argMin(message, number) AS example
FROM tallybook.rejects
GROUP BY input_name, reason, field
ORDER BY rejects DESC, input_name, reason, field
