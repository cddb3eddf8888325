-- Law: a store and a product have one id, written in one way: rules and reports that name it miss the others. What looks
-- alike is the same as in look_alike_ids.
-- Warns only: catalogues with such products are common, and no points lie in the wrong account.
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
        SELECT DISTINCT 'store' AS kind, '' AS source, toString(store_id) AS id FROM tallybook_rows.facts
        UNION ALL
        SELECT DISTINCT 'sku', '', sku FROM tallybook_rows.fact_lines
        UNION ALL
        SELECT DISTINCT 'sku', '', sku FROM tallybook_rows.facts
    )
)
SELECT
    concat(kind, ':', plain) AS key,
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
ORDER BY kind, plain
LIMIT {most_rows:UInt32}
