-- Law: a rule pays an order once, however many events tell of it (created, paid, updated; two tills): for all of them
-- together no more than for the greatest of them alone, before limits. A limit `per: order` sees to it.
-- Acknowledged by: key
-- Rows: orders for which a rule paid several events more than that, with the events and the points of all of them.
WITH awards AS
(
    SELECT source, order_id, event_id, member_id, seq, rule_id, points FROM tallybook_rows.ledger FINAL
    WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL)
        AND entry_type = 'PointsAwarded' AND fact_type = 'PurchaseRecorded'
        -- Few orders have several events; only these are looked at closely.
        AND (source, order_id) IN (
            SELECT source, order_id FROM tallybook_rows.ledger FINAL
            WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL)
                AND entry_type = 'PointsAwarded' AND fact_type = 'PurchaseRecorded'
            GROUP BY source, order_id, rule_id
            HAVING min(event_id) != max(event_id)
        )
)
SELECT
    concat(source, '/', order_id) AS key,
    source,
    order_id,
    arraySlice(arraySort(groupUniqArray(member_id)), 1, 100) AS member_ids,
    arraySlice(arraySort(groupUniqArray(event_id)), 1, 100) AS event_ids,
    uniqExact(event_id) AS events,
    sum(points) AS points
FROM awards
WHERE (source, order_id) IN (
    SELECT award.source, award.order_id
    FROM awards AS award
    LEFT JOIN
    (
        SELECT member_id, seq, rule_id, rounded FROM tallybook_rows.workings FINAL
        WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL)
            AND (member_id, seq) IN (SELECT member_id, seq FROM awards)
    ) AS working
        ON award.member_id = working.member_id AND award.seq = working.seq AND award.rule_id = working.rule_id
    GROUP BY award.source, award.order_id, award.rule_id
    HAVING min(award.event_id) != max(award.event_id) AND sum(award.points) > max(working.rounded)
)
GROUP BY source, order_id
ORDER BY source, order_id
LIMIT {most_rows:UInt32}
