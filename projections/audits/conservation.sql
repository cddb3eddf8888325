-- Law: the balance of a member is the sum of what is left in the lots, and the sum of the signed points of all entries.
-- Rows: members for whom the three disagree, points.
SELECT
    edition,
    member_id,
    sum(toInt128(state)) AS balance,
    sum(toInt128(lot)) AS remaining_in_lots,
    sum(toInt128(entry)) AS sum_of_entries
FROM
(
    SELECT edition, member_id, balance AS state, 0 AS lot, 0 AS entry FROM tallybook_rows.account_states FINAL
    UNION ALL
    SELECT edition, member_id, 0, points, 0 FROM tallybook_rows.lots FINAL
    UNION ALL
    -- A state row says what is left of a lot, so it takes away the rest of what was awarded.
    SELECT state.edition, state.member_id, 0, state.remaining - opened.points, 0
    FROM (SELECT * FROM tallybook_rows.lot_states FINAL) AS state
    LEFT JOIN (SELECT * FROM tallybook_rows.lots FINAL) AS opened
        ON state.edition = opened.edition AND state.member_id = opened.member_id AND state.lot = opened.lot
    UNION ALL
    SELECT edition, member_id, 0, 0, points FROM tallybook_rows.ledger FINAL
)
GROUP BY edition, member_id
HAVING balance != remaining_in_lots OR balance != sum_of_entries
ORDER BY edition, member_id
LIMIT 1000
