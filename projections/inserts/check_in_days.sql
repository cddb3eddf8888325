-- One row per check-in day that a posting held.
INSERT INTO tallybook_rows.check_in_days (edition, member_id, day, seq, run_length)
SELECT
    {edition:String},
    member_id,
    day_held.day,
    seq,
    day_held.run_length
FROM {staged:Identifier}
WHERE day_held IS NOT NULL
