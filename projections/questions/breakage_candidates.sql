-- Which points will perhaps never be redeemed: members with a balance of whom nothing was heard for half a year?
-- silent_months: whole months of 30 days between the last fact of the member and the last tick
-- members: members who have been silent that long, at least 6
-- points: what they have
-- with_expiry: the part of it that has an end
SELECT
    intDiv(dateDiff('day', heard.last_heard, heard.as_of), 30) AS silent_months,
    count() AS members,
    sum(toInt128(heard.balance)) AS points,
    sum(toInt128(ifNull(ending.points, 0))) AS with_expiry
FROM
(
    SELECT balance.member_id AS member_id, balance.balance AS balance, balance.as_of AS as_of, facts.last_heard
    FROM tallybook.balances AS balance
    INNER JOIN
    (
        SELECT member_id, max(occurred_at) AS last_heard
        FROM tallybook.facts
        WHERE source != 'tallybook' AND member_id != ''
        GROUP BY member_id
    ) AS facts ON balance.member_id = facts.member_id
    WHERE balance > 0
) AS heard
LEFT JOIN
(
    SELECT member_id, sum(remaining) AS points FROM tallybook.expiring GROUP BY member_id
) AS ending ON heard.member_id = ending.member_id
WHERE dateDiff('day', heard.last_heard, heard.as_of) >= 180
GROUP BY silent_months
ORDER BY silent_months
