-- Law: a rule pays an order once, however many events tell of it (created, paid, updated; two tills): for all of them
-- together no more than for the greatest of them alone, before limits. A limit `per: order` sees to it. One order id in
-- one source is one order, whoever earned by it; so it is in several sources, if the same member earned.
-- Acknowledged by: key
-- Rows: orders for which a rule paid several events more than that, with the events and the points of all of them.
WITH awards AS
(
    SELECT source, order_id, event_id, member_id, seq, rule_id, points FROM tallybook_rows.ledger FINAL
    WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL)
        AND entry_type = 'PointsAwarded' AND fact_type = 'PurchaseRecorded'
        -- Few orders have several events; only these are looked at closely. Hashes, as there are as many as facts.
        AND cityHash64(order_id) IN (
            SELECT cityHash64(order_id) AS order_hash FROM tallybook_rows.ledger
            WHERE entry_type = 'PointsAwarded' AND fact_type = 'PurchaseRecorded'
            GROUP BY order_hash
            HAVING min(cityHash64(source, event_id)) != max(cityHash64(source, event_id))
        )
)
SELECT
    if(place.1 = 'source', concat(place.2, '/', order_id), concat('*/', order_id, '/', place.2)) AS key,
    arrayStringConcat(arraySlice(arraySort(groupUniqArrayArray(by_rule.sources)), 1, 100), ', ') AS source,
    order_id,
    arraySlice(arraySort(groupUniqArrayArray(by_rule.members)), 1, 100) AS member_ids,
    arraySlice(arraySort(arrayDistinct(arrayMap(each -> each.2, groupUniqArrayArray(by_rule.keys) AS all_keys))), 1, 100)
        AS event_ids,
    length(all_keys) AS events,
    sum(by_rule.points) AS points
FROM
(
    -- Each award stands in its source, and in its member's several sources (of which `place` is the member).
    SELECT
        arrayJoin([('source', toString(award.source)), ('member', award.member_id)]) AS place,
        award.order_id AS order_id,
        groupUniqArray(toString(award.source)) AS sources,
        groupUniqArray(award.member_id) AS members,
        groupUniqArray((toString(award.source), award.event_id)) AS keys,
        sum(award.points) AS points,
        length(keys) > 1 AND points > max(working.rounded) AND (place.1 = 'source' OR length(sources) > 1) AS is_wrong
    FROM awards AS award
    LEFT JOIN
    (
        SELECT member_id, seq, rule_id, rounded FROM tallybook_rows.workings FINAL
        WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL)
            AND (member_id, seq) IN (SELECT member_id, seq FROM awards)
    ) AS working
        ON award.member_id = working.member_id AND award.seq = working.seq AND award.rule_id = working.rule_id
    GROUP BY place, order_id, award.rule_id
) AS by_rule
GROUP BY place, order_id
HAVING max(by_rule.is_wrong)
ORDER BY order_id, key
LIMIT {most_rows:UInt32}
