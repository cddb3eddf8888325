-- What one member has now.
SELECT
    member_id,
    balance,
    postings,
    toUnixTimestamp64Milli(updated_at) AS updated_at,
    updated_by,
    toUnixTimestamp64Milli(as_of) AS as_of
FROM tallybook.balances
WHERE member_id = {member:String}
