-- One row per entry that empties a lot. A later kind that draws on a part of one must say in the posting what remains.
INSERT INTO tallybook_rows.lot_states (edition, member_id, lot, seq, remaining, changed_at)
SELECT
    {edition:String},
    member_id,
    entry.lot,
    seq,
    0,
    entry.effective_at
FROM {staged:Identifier}
ARRAY JOIN entries AS entry
WHERE entry.type = 'PointsExpired'
