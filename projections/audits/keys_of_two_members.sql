-- Law: a publisher's key (source, event id) names one event of one member. Referrals, which stand in both parties'
-- accounts, and derived facts are excepted. A guest's receipt may come again with its member: a guest earns nothing.
-- Acknowledged by: key
-- Rows: keys under which facts of several members were reported.
SELECT
    concat(source, '/', event_id) AS key,
    source,
    event_id,
    arraySlice(arraySort(groupUniqArray(member_id)), 1, 100) AS member_ids
FROM tallybook_rows.facts FINAL
WHERE fact_type NOT IN ('ReferralMade', 'RefereePurchased') AND member_id != ''
    -- There are as many keys as facts: hashes take a third of the time, and what they find is compared as it stands.
    AND cityHash64(source, event_id) IN (
        SELECT cityHash64(source, event_id) AS key_hash FROM tallybook_rows.facts
        WHERE fact_type NOT IN ('ReferralMade', 'RefereePurchased') AND member_id != ''
        GROUP BY key_hash
        HAVING min(cityHash64(member_id)) != max(cityHash64(member_id))
    )
GROUP BY source, event_id
HAVING min(member_id) != max(member_id)
ORDER BY source, event_id
LIMIT {most_rows:UInt32}
