-- One row per entry, and one for each posting without entries.
INSERT INTO tallybook_rows.ledger
(
    edition, member_id, seq, n, partition, number, page, line, sub, fact_type, source, event_id, occurred_at, local_day,
    store_id, order_id, reason, late, ruleset_version, ruleset_hash, semantics, purchase_rank, claim_opened, claim_paid,
    entry_id, entry_type, points, balance_after, effective_at, lot, rule_id, wallet, available_at, expires_at, corrects
)
SELECT
    {edition:String},
    member_id,
    seq,
    n,
    CRC32(member_id) % {partitions:UInt32},
    number,
    page,
    line,
    sub,
    fact_type,
    source,
    event_id,
    occurred_at,
    local_day,
    store_id,
    order_id,
    ifNull(reason, ''),
    late,
    ruleset_version,
    ruleset_hash,
    semantics,
    purchase_rank,
    claim_opened,
    ifNull(claim_paid, ''),
    entry.entry_id,
    entry.type,
    entry.points,
    -- Running: what the posting left, less the entries that come after this one.
    if(n = 0, balance, balance - total + earned_until),
    if(n = 0, occurred_at, entry.effective_at),
    entry.lot,
    entry.rule_id,
    entry.wallet,
    entry.available_at,
    entry.expires_at,
    ifNull(entry.corrects, '')
FROM
(
    SELECT *, arraySum(entries.points) AS total FROM {staged:Identifier}
)
LEFT ARRAY JOIN
    entries AS entry,
    arrayEnumerate(entries) AS n,
    arrayCumSum(entries.points) AS earned_until
