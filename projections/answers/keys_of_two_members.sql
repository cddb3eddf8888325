-- What the audit keys_of_two_members says of the keys of new facts: those on journal pages from `first_pages` on, which
-- has a page number for each partition (a partition beyond its end is all new).
SELECT
    concat(source, '/', event_id) AS key,
    source,
    event_id,
    arraySlice(arraySort(groupUniqArray(member_id)), 1, 100) AS member_ids
FROM tallybook_rows.facts FINAL
WHERE fact_type NOT IN ('ReferralMade', 'RefereePurchased') AND member_id != ''
    AND cityHash64(source, event_id) IN (
        SELECT cityHash64(source, event_id) AS key_hash FROM tallybook_rows.facts
        WHERE fact_type NOT IN ('ReferralMade', 'RefereePurchased') AND member_id != ''
            AND cityHash64(source, event_id) IN (
                SELECT cityHash64(source, event_id) FROM tallybook_rows.facts
                WHERE page >= {first_pages:Array(UInt64)}[partition + 1]
            )
        GROUP BY key_hash
        HAVING min(cityHash64(member_id)) != max(cityHash64(member_id))
    )
GROUP BY source, event_id
HAVING min(member_id) != max(member_id)
ORDER BY source, event_id
LIMIT {limit:UInt32}
