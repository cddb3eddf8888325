-- Who earned most since the programme began, and what do they still have?
-- rank: place, from 1
-- member_id: member
-- earned: points earned (gross)
-- balance: points now
-- since: local date on which the account was opened
SELECT
    board.rank AS rank,
    board.member_id AS member_id,
    board.earned AS earned,
    member.balance AS balance,
    member.opened_on AS since
FROM (SELECT rank, member_id, earned FROM tallybook.leaderboard WHERE period = 'ever' AND store_id = '') AS board
INNER JOIN tallybook.members AS member ON board.member_id = member.member_id
ORDER BY rank
LIMIT 20
