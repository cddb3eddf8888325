CREATE TABLE IF NOT EXISTS tallybook_rows.workings
(
    edition LowCardinality(String) COMMENT 'Edition of the ledger',
    member_id String COMMENT 'Member whose account it is',
    seq UInt64 COMMENT 'Posting of the account, from 1',
    n UInt32 COMMENT 'Counts the rules that matched the fact, from 1, in the order of the ruleset',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When the fact happened, UTC',
    local_day Nullable(Date32) COMMENT 'Local date on which it happened, in the zone of the programme',
    fact_type LowCardinality(String) COMMENT 'Kind of the fact',
    store_id LowCardinality(String) COMMENT 'Store of the fact; empty if not given',
    ruleset_version LowCardinality(String) COMMENT 'Version of the rules',
    rule_id LowCardinality(String) COMMENT 'Rule that matched',
    basis Int64 COMMENT 'What the rule counted, in units of the column unit',
    unit LowCardinality(String) COMMENT 'Unit of basis: minor (money), milli (thousandths), event, line or day',
    rate LowCardinality(String) COMMENT 'Points per unit of basis, as an exact decimal or fraction',
    exact String COMMENT 'Points before rounding, as an exact decimal or fraction',
    rounding LowCardinality(String) COMMENT 'floor, ceil, half_up or half_even',
    rounded Int64 COMMENT 'Points after rounding, before limits',
    paid Int64 COMMENT 'Points awarded, after limits',
    factor_rules Array(LowCardinality(String)) COMMENT 'Multipliers (campaigns) that took part',
    factors Array(String) COMMENT 'Their factors, exact decimals, in the same order',
    factor_basis Array(Int64) COMMENT 'How much of basis each multiplied, in the same order',
    limit_ids Array(LowCardinality(String)) COMMENT 'Limits that cut this award'
)
ENGINE = ReplacingMergeTree
PARTITION BY (edition, toYear(occurred_at))
ORDER BY (edition, member_id, seq, n)
COMMENT 'The arithmetic of each posting; one row per rule that matched'
