-- How many facts of the current edition were of the key of another one, with other content, and had no effect.
SELECT uniqExact(member_id, seq) AS conflicts FROM tallybook.ledger WHERE reason = 'conflict'
