-- One row per rule that matched.
INSERT INTO tallybook_rows.workings
(
    edition, member_id, seq, n, occurred_at, local_day, fact_type, store_id, ruleset_version, rule_id, basis, unit,
    rate, exact, rounding, rounded, paid, factor_rules, factors, factor_basis, limit_ids
)
SELECT
    {edition:String},
    member_id,
    seq,
    n,
    occurred_at,
    local_day,
    fact_type,
    store_id,
    ruleset_version,
    working.rule_id,
    working.basis,
    working.unit,
    working.rate,
    working.exact,
    working.rounding,
    working.rounded,
    working.paid,
    working.factors.rule_id,
    working.factors.factor,
    working.factors.basis,
    working.limit_ids
FROM {staged:Identifier}
ARRAY JOIN
    workings AS working,
    arrayEnumerate(workings) AS n
