-- Law: a purchase is paid once, and not again under the key of another order, as where a spreadsheet has saved an export
-- again (03.11.26 for 03.11.2026, 2 for 02). Purchases of one member are the same if they have the same lines and the same
-- instant, or the same minute where one of them has no seconds; zeros at the head of a product's id make no difference.
-- What several events tell of one order, orders_paid_twice finds.
-- Acknowledged by: key
-- Rows: purchases that were paid under several keys, with the points of all of them, and those beyond the greatest.
WITH paid AS
(
    SELECT
        member_id, intDiv(toUnixTimestamp64Milli(occurred_at), 60000) AS minute, occurred_at, source, event_id, order_id,
        partition, page, line, points
    FROM tallybook_rows.ledger FINAL
    WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL)
        AND entry_type = 'PointsAwarded' AND fact_type = 'PurchaseRecorded'
        -- Few members buy twice in a minute; only these purchases are looked at closely.
        AND cityHash64(member_id, minute) IN (
            SELECT cityHash64(member_id, intDiv(toUnixTimestamp64Milli(occurred_at), 60000)) AS minute_hash
            FROM tallybook_rows.ledger
            WHERE entry_type = 'PointsAwarded' AND fact_type = 'PurchaseRecorded'
            GROUP BY minute_hash
            HAVING min(cityHash64(order_id)) != max(cityHash64(order_id))
        )
)
SELECT
    event_keys[1] AS key,
    member_id,
    min(by_event.occurred_at) AS occurred_at,
    arraySlice(arraySort(groupUniqArray(concat(by_event.source, '/', by_event.event_id))), 1, 100) AS event_keys,
    uniqExact(by_event.source, by_event.event_id) AS events,
    sum(by_event.points) AS points,
    points - max(by_event.points) AS paid_again
FROM
(
    SELECT
        member_id, minute, occurred_at, toString(source) AS source, event_id, order_id, sum(paid.points) AS points,
        any(bought.lines) AS lines
    FROM paid
    LEFT JOIN
    (
        SELECT
            partition, page, line,
            arraySort(groupArray((replaceRegexpOne(sku, '^0+', ''), toString(currency), amount_minor, quantity_milli)))
                AS lines
        FROM tallybook_rows.fact_lines FINAL
        WHERE (partition, page, line) IN (SELECT partition, page, line FROM paid)
        GROUP BY partition, page, line
    ) AS bought
        ON paid.partition = bought.partition AND paid.page = bought.page AND paid.line = bought.line
    GROUP BY member_id, minute, occurred_at, source, event_id, order_id
) AS by_event
GROUP BY member_id, minute, lines
HAVING uniqExact(order_id) > 1
    AND (uniqExact(by_event.occurred_at) < events OR min(toUnixTimestamp64Milli(by_event.occurred_at)) = minute * 60000)
ORDER BY member_id, minute, key
LIMIT {most_rows:UInt32}
