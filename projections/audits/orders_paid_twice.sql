-- Law: a rule pays an order once, however many events tell of it (created, paid, updated; two tills). Several events of
-- an order are right where each rule paid one of them at most, as a limit `per: order` sees to.
-- Acknowledged by: key
-- Rows: orders for which a rule made points from several events, with the events and the points of all of them.
SELECT
    concat(source, '/', order_id) AS key,
    source,
    order_id,
    arraySlice(arraySort(groupUniqArray(member_id)), 1, 100) AS member_ids,
    arraySlice(arraySort(groupUniqArray(event_id)), 1, 100) AS event_ids,
    uniqExact(event_id) AS events,
    sum(points) AS points
FROM tallybook_rows.ledger FINAL
WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL)
    AND entry_type = 'PointsAwarded' AND fact_type = 'PurchaseRecorded'
    AND (source, order_id) IN (
        SELECT source, order_id FROM tallybook_rows.ledger FINAL
        WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL)
            AND entry_type = 'PointsAwarded' AND fact_type = 'PurchaseRecorded'
        GROUP BY source, order_id, rule_id
        HAVING min(event_id) != max(event_id)
    )
GROUP BY source, order_id
ORDER BY source, order_id
LIMIT {most_rows:UInt32}
