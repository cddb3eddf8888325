-- What one member has now.
SELECT
    member_id,
    balance,
    postings,
    toUnixTimestamp64Milli(last_fact_at) AS last_fact_at,
    last_fact_type,
    toUnixTimestamp64Milli(as_of) AS as_of
FROM tallybook.balances
WHERE member_id = {member:String}
