-- Law: a member, a source, an order or an event has one id, written in one way. Else the points of one person lie in two
-- accounts, or an order is paid once for each way in which it is written. Ids look alike if they differ only in case, in
-- width or other forms of the same letters, in blanks, in quotes and other guards of spreadsheets, or in characters that
-- nobody sees. Ids of orders and events are compared within their source.
-- Acknowledged by: key
-- Rows: ids that look alike, as they stand and as the hex of their UTF-8, which shows what the eye does not see.
WITH ids AS
(
    SELECT
        kind,
        source,
        id,
        replaceRegexpAll(
            if(length(id) = lengthUTF8(id), lower(id), lowerUTF8(upperUTF8(normalizeUTF8NFKC(id)))),
            '[\\s\\p{Z}\\p{Cc}\\p{Cf}"''`´=‘’“”\\x{34f}\\x{115f}\\x{1160}\\x{2800}\\x{fe00}-\\x{fe0f}\\x{e0100}-\\x{e01ef}]',
            ''
        ) AS plain,
        -- Hashes, as there may be as many ids as facts; what they find is compared as it stands.
        cityHash64(kind, source, plain) AS plain_hash
    FROM
    (
        SELECT DISTINCT 'member' AS kind, '' AS source, member_id AS id FROM tallybook_rows.members
        UNION ALL
        SELECT DISTINCT 'source', '', toString(source) FROM tallybook_rows.facts
        UNION ALL
        SELECT 'order', toString(source), order_id FROM tallybook_rows.facts WHERE order_id != ''
        UNION ALL
        SELECT 'event', toString(source), event_id FROM tallybook_rows.facts WHERE fact_type != 'RefereePurchased'
    )
)
SELECT
    concat(kind, ':', if(source = '', '', concat(source, '/')), plain) AS key,
    kind,
    source,
    arraySlice(arraySort(groupUniqArray(id)), 1, 100) AS ids,
    arrayMap(one -> hex(one), ids) AS utf8_hex
FROM ids
WHERE plain_hash IN
(
    SELECT plain_hash FROM ids GROUP BY plain_hash HAVING min(cityHash64(id)) != max(cityHash64(id))
)
GROUP BY kind, source, plain
HAVING min(id) != max(id)
ORDER BY kind = 'member' DESC, kind, source, plain
LIMIT {most_rows:UInt32}
