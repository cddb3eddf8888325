-- A page of members in order of their ids: those after a given one.
SELECT
    member_id,
    toUnixTimestamp64Milli(opened_at) AS opened_at,
    opened_on,
    opened_by,
    balance,
    postings,
    toUnixTimestamp64Milli(updated_at) AS updated_at
FROM tallybook.members
WHERE member_id > {after:String}
ORDER BY member_id
LIMIT {limit:UInt32}
