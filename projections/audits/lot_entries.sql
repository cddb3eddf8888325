-- Law: what is left in a lot is the sum of the entries that name it.
-- Rows: lots for which it is not, points.
SELECT edition, member_id, lot, sum(toInt128(left_over)) AS remaining, sum(toInt128(entry)) AS sum_of_entries
FROM
(
    SELECT
        opened.edition AS edition,
        opened.member_id AS member_id,
        opened.lot AS lot,
        if(ifNull(state.seq, 0) = 0, opened.points, ifNull(state.remaining, 0)) AS left_over,
        0 AS entry
    FROM (SELECT * FROM tallybook_rows.lots FINAL) AS opened
    LEFT JOIN (SELECT * FROM tallybook_rows.lot_states FINAL) AS state
        ON opened.edition = state.edition AND opened.member_id = state.member_id AND opened.lot = state.lot
    UNION ALL
    SELECT edition, member_id, lot, 0, points FROM tallybook_rows.ledger FINAL WHERE n > 0
)
GROUP BY edition, member_id, lot
HAVING remaining != sum_of_entries
ORDER BY edition, member_id, lot
LIMIT 1000
