-- Law: the state of an account is that after the last entry of its last posting.
-- Rows: accounts whose state has another seq or balance (points) than the ledger, or is missing on one side.
SELECT
    edition,
    member_id,
    sumIf(seq, side = 'state') AS state_seq,
    sumIf(seq, side = 'ledger') AS ledger_seq,
    sumIf(balance, side = 'state') AS state_balance,
    sumIf(balance, side = 'ledger') AS ledger_balance
FROM
(
    SELECT 'state' AS side, edition, member_id, seq, balance FROM tallybook_rows.account_states FINAL
    UNION ALL
    SELECT 'ledger', edition, member_id, max(seq), argMax(balance_after, (seq, n)) FROM tallybook_rows.ledger FINAL
    GROUP BY edition, member_id
)
GROUP BY edition, member_id
HAVING state_seq != ledger_seq OR state_balance != ledger_balance
ORDER BY edition, member_id
LIMIT 1000
