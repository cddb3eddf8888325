INSERT INTO tallybook_rows.account_states (edition, member_id, seq, balance, occurred_at, fact_type)
SELECT '0001', member_id, max(seq), max(points * seq), argMax(occurred_at, seq), 'PurchaseRecorded'
FROM {postings}
GROUP BY member_id
