-- One row per account: its last posting of the batch, as an older state would be replaced at once.
INSERT INTO tallybook_rows.account_states (edition, member_id, seq, balance, occurred_at, fact_type)
SELECT
    {edition:String},
    member_id,
    max(seq),
    argMax(balance, seq),
    argMax(occurred_at, seq),
    argMax(fact_type, seq)
FROM {staged:Identifier}
GROUP BY member_id
