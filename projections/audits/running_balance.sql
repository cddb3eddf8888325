-- Law: each entry moves the balance by its points, from 0.
-- Rows: entries after which the balance (points) is not what the entries so far add up to.
SELECT edition, member_id, seq, n, points, balance_after, sum_of_entries
FROM
(
    SELECT
        edition,
        member_id,
        seq,
        n,
        points,
        balance_after,
        sum(toInt128(points)) OVER (PARTITION BY edition, member_id ORDER BY seq, n) AS sum_of_entries
    FROM tallybook_rows.ledger FINAL
)
WHERE balance_after != sum_of_entries
ORDER BY edition, member_id, seq, n
LIMIT 1000
