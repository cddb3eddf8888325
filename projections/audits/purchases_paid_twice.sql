-- Law: a purchase is paid once, and not again under the key of another order, as where a spreadsheet has saved an export
-- again (03.11.26 for 03.11.2026, 2 for 02). Two of one member are the same purchase if they have the same lines (zeros at
-- the head of a product's id apart), and the same instant with seconds; or if they lie in one minute, at one instant or
-- one of them without seconds, and their event ids are two spellings of one: the same letters and numbers, whatever the
-- order of a date's parts, its century, and zeros before a number. What several events tell of one order,
-- orders_paid_twice finds.
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
SELECT DISTINCT
    event_keys[1] AS key,
    member_id,
    min(by_event.occurred_at) AS occurred_at,
    arraySlice(arraySort(groupUniqArray(concat(by_event.source, '/', by_event.event_id))), 1, 100) AS event_keys,
    uniqExact(by_event.source, by_event.event_id) AS events,
    sum(by_event.points) AS points,
    points - max(by_event.points) AS paid_again
FROM
(
    -- Each event stands at its instant, if that has seconds, and under the spelling of its id.
    SELECT
        member_id, minute, occurred_at, toString(source) AS source, event_id, order_id, sum(paid.points) AS points,
        any(bought.lines) AS lines,
        arraySort(arrayFilter(number -> number != '', arrayMap(
            number -> replaceRegexpOne(replaceRegexpOne(number, '^(?:19|20)([0-9]{2})$', '\\1'), '^0+', ''),
            extractAll(event_id, '[0-9]+')
        ))) AS numbers,
        lowerUTF8(replaceRegexpAll(event_id, '[^\\p{L}]+', '')) AS letters,
        toUnixTimestamp64Milli(occurred_at) AS at,
        arrayJoin(if(at % 60000 = 0, [('', 0)], [('', 0), ('instant', at)])) AS instant,
        if(instant.1 = '', (letters, numbers), ('', [])) AS spelling
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
GROUP BY member_id, minute, lines, instant, spelling
HAVING uniqExact(order_id) > 1 AND (instant.1 != '' OR uniqExact(at) < events OR min(at) = minute * 60000)
ORDER BY member_id, minute, key
LIMIT {most_rows:UInt32}
