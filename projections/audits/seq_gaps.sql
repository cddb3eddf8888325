-- Law: the postings of an account are counted 1, 2, 3, … and their entries 1, 2, 3, … (0: no entry).
-- Rows: accounts in which some are missing, with how many postings there are and what the last one is counted.
SELECT edition, member_id, uniqExact(seq) AS postings, max(seq) AS last_seq, sum(lost) AS lost_entries
FROM
(
    SELECT edition, member_id, seq, max(n) - if(max(n) = 0, 0, count()) AS lost
    FROM tallybook_rows.ledger FINAL
    GROUP BY edition, member_id, seq
)
GROUP BY edition, member_id
HAVING postings != last_seq OR lost_entries != 0
ORDER BY edition, member_id
LIMIT 1000
