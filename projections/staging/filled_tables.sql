-- The tables that staged postings have rows for, of those that a few postings often have none for.
SELECT arrayFilter(
    name -> name != '',
    [
        if(min(seq) = 1, 'members', ''),
        if(max(has(entries.type, 'PointsExpired')), 'lot_states', ''),
        if(max(day_held IS NOT NULL), 'check_in_days', '')
    ]
) AS found
FROM {staged:Identifier}
