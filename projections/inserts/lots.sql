-- One row per award. Every kind of entry is known here or in lot_states.sql: another one ends the projection.
INSERT INTO tallybook_rows.lots
(
    edition, member_id, lot, seq, points, wallet, occurred_at, available_at, expires_at, rule_id, source, event_id,
    order_id, store_id
)
SELECT
    {edition:String},
    member_id,
    entry.lot,
    seq,
    entry.points,
    entry.wallet,
    occurred_at,
    ifNull(entry.available_at, entry.effective_at),
    entry.expires_at,
    entry.rule_id,
    source,
    event_id,
    order_id,
    store_id
FROM {staged:Identifier}
ARRAY JOIN entries AS entry
WHERE entry.type = 'PointsAwarded'
    OR throwIf(entry.type NOT IN ('PointsAwarded', 'PointsExpired'), 'an entry has a type that no table knows')
