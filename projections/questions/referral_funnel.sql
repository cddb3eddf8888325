-- How far do referrals get?
-- step: 1 to 5
-- what: what is counted in this step
-- members: different members (referrers in steps 1 and 5, referees in steps 2 to 4)
-- times: how often it happened
-- points: points that were paid for it
SELECT step, what, members, times, points
FROM
(
    SELECT 1 AS step, 'referrals made' AS what, uniqExact(referrer_id) AS members,
        uniqExact((source, event_id)) AS times, 0 AS points
    FROM tallybook.facts WHERE fact_type = 'ReferralMade'
    UNION ALL
    SELECT 2, 'claims opened on a referee', uniqExact(member_id), uniqExact((member_id, seq)), 0
    FROM tallybook.ledger WHERE claim_opened > 0
    UNION ALL
    SELECT 3, 'purchases of referees while a claim was open', uniqExact(referee_id),
        uniqExact((purchase_source, purchase_event_id, referee_id)), 0
    FROM tallybook.facts WHERE fact_type = 'RefereePurchased'
    UNION ALL
    SELECT 4, 'claims paid to the referee', uniqExact(member_id), uniqExact((member_id, claim_paid)),
        sumIf(points, entry_type = 'PointsAwarded')
    FROM tallybook.ledger WHERE claim_paid != '' AND member_id = replaceRegexpOne(claim_paid, '/[0-9]+$', '')
    UNION ALL
    SELECT 5, 'claims paid to the referrer', uniqExact(member_id), uniqExact((member_id, claim_paid)),
        sumIf(points, entry_type = 'PointsAwarded')
    FROM tallybook.ledger WHERE claim_paid != '' AND member_id != replaceRegexpOne(claim_paid, '/[0-9]+$', '')
)
ORDER BY step
