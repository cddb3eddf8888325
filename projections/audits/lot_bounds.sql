-- Law: a lot never holds less than nothing, nor more than was awarded, and nothing is left that was never there.
-- Rows: lots outside these bounds, points.
SELECT
    state.edition AS edition,
    state.member_id AS member_id,
    state.lot AS lot,
    state.remaining AS remaining,
    opened.points AS points
FROM (SELECT * FROM tallybook_rows.lot_states FINAL) AS state
LEFT JOIN (SELECT * FROM tallybook_rows.lots FINAL) AS opened
    ON state.edition = opened.edition AND state.member_id = opened.member_id AND state.lot = opened.lot
WHERE state.remaining < 0 OR state.remaining > ifNull(opened.points, 0) OR ifNull(opened.points, 0) <= 0
ORDER BY edition, member_id, lot
LIMIT 1000
