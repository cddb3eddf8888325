INSERT INTO tallybook_rows.ledger
(
    edition, member_id, seq, n, partition, number, page, line, fact_type, source, event_id, occurred_at, local_day,
    store_id, order_id, ruleset_version, ruleset_hash, semantics, purchase_rank, entry_id, entry_type, points,
    balance_after, effective_at, lot, rule_id, wallet, available_at, expires_at
)
SELECT
    '0001', member_id, seq, 1, m % 8, i, intDiv(i, 100), i % 100, 'PurchaseRecorded', 'pos', hex(i), occurred_at, day,
    store_id, concat('order-', hex(i)), '2026.1', repeat('ab', 32), 1, seq, concat('pos/', hex(i), '/', member_id, '/1'),
    'PointsAwarded', points, points * seq, occurred_at, seq, 'base', 'points', occurred_at,
    occurred_at + toIntervalDay(365)
FROM {postings}
