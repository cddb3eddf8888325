-- Law: a member, a source, an order or an event has one id, written in one way. Else the points of one person lie in two
-- accounts, or an order is paid once for each way in which it is written. Ids look alike if they differ only in case, in
-- width or other forms of the same letters, in blanks, in quotes and other guards of spreadsheets, or in characters that
-- nobody sees; numbers also if they differ only in zeros at their beginning, and members if they are one phone number
-- with and without the code of its country (mobile phones), or with other marks between its digits. Ids of orders and
-- events are compared within their source.
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
        ) AS seen,
        replaceRegexpAll(seen, '[^0-9]', '') AS digits,
        if(
            kind = 'member' AND length(digits) BETWEEN 10 AND 15 AND match(seen, '^\\+?[0-9(][0-9().-]{8,20}$'),
            digits,
            seen
        ) AS bare,
        if(kind != 'source' AND match(bare, '^[0-9]+$'), replaceRegexpOne(bare, '^0+([0-9])', '\\1'), bare) AS number,
        -- Of mobile phones in China, Germany, Britain, France, Spain, Italy, Japan, Korea, Taiwan, Australia, India, Russia.
        if(
            kind = 'member' AND match(
                number,
                concat(
                    '^(861[3-9][0-9]{9}|491[5-7][0-9]{8,9}|447[0-9]{9}|33[67][0-9]{8}|34[67][0-9]{8}|393[0-9]{8,9}|',
                    '81[789]0[0-9]{8}|8210[0-9]{8}|8869[0-9]{8}|614[0-9]{8}|91[6-9][0-9]{9}|79[0-9]{9})$'
                )
            ),
            replaceRegexpOne(number, '^(886|86|49|44|33|34|39|81|82|61|91|7)', ''),
            number
        ) AS national,
        if(
            kind = 'member' AND match(national, '^1[2-9][0-9]{2}[2-9][0-9]{6}$'),
            substring(national, 2),
            national
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
