CREATE OR REPLACE VIEW tallybook.workings
(
    member_id String COMMENT 'Member whose account it is',
    seq UInt64 COMMENT 'Posting of the account, from 1',
    n UInt32 COMMENT 'Counts the rules that matched the fact, from 1, in the order of the ruleset',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When the fact happened, UTC',
    local_day Nullable(Date32) COMMENT 'Local date on which it happened, as the rules saw it',
    fact_type String COMMENT 'Kind of the fact',
    store_id String COMMENT 'Store of the fact; empty if not given',
    ruleset_version String COMMENT 'Version of the rules',
    rule_id String COMMENT 'Rule that matched',
    basis Int64 COMMENT 'What the rule counted, in units of the column unit',
    unit String COMMENT 'Unit of basis: minor (money), milli (thousandths), event, line or day',
    rate String COMMENT 'Points per unit of basis, as an exact decimal or fraction',
    exact String COMMENT 'Points before rounding, as an exact decimal or fraction',
    rounding String COMMENT 'floor, ceil, half_up or half_even',
    rounded Int64 COMMENT 'Points after rounding, before limits',
    paid Int64 COMMENT 'Points awarded, after limits',
    factor_rules Array(String) COMMENT 'Multipliers (campaigns) that took part',
    factors Array(String) COMMENT 'Their factors, exact decimals, in the same order',
    factor_basis Array(Int64) COMMENT 'How much of basis each multiplied, in the same order',
    limit_ids Array(String) COMMENT 'Limits that cut this award',
    as_of Nullable(DateTime64(3, 'UTC')) COMMENT 'Last tick, UTC: all work due by then is counted; NULL before the first tick'
)
AS SELECT
    * EXCEPT (edition),
    (SELECT minOrNull(at) FROM tallybook_rows.ticks FINAL) AS as_of
FROM tallybook_rows.workings FINAL
WHERE edition = (SELECT any(edition) FROM tallybook_rows.current_edition FINAL)
COMMENT 'How each award was computed; one row per rule that matched a fact, paid or not'
