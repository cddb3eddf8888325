-- How many members joined in each month, and by what?
-- month: first local date of the month
-- members: accounts opened by a fact that happened in the month
-- by_purchase: those whose first fact was a purchase
-- by_check_in: … a check-in
-- by_referral: … a referral, or the purchase of somebody they had referred
-- by_other: … something else
-- total: accounts at the end of the month
SELECT
    toStartOfMonth(opened_on) AS month,
    count() AS members,
    countIf(opened_by = 'PurchaseRecorded') AS by_purchase,
    countIf(opened_by = 'CheckedIn') AS by_check_in,
    countIf(opened_by IN ('ReferralMade', 'RefereePurchased')) AS by_referral,
    members - by_purchase - by_check_in - by_referral AS by_other,
    sum(members) OVER (ORDER BY month) AS total
FROM tallybook.members
GROUP BY month
ORDER BY month
