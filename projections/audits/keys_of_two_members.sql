-- Law: a publisher's key (source, event id) names one event of one member. Referrals, which stand in both parties'
-- accounts, and derived facts are excepted.
-- Rows: keys under which facts of several members (or of a member and a guest) were reported.
SELECT source, event_id, count() AS facts, arraySort(groupUniqArray(100)(member_id)) AS member_ids
FROM tallybook_rows.facts FINAL
WHERE fact_type NOT IN ('ReferralMade', 'RefereePurchased')
GROUP BY source, event_id
HAVING uniqExact(member_id) > 1
ORDER BY source, event_id
LIMIT 1000
