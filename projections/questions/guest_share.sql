-- Which share of purchases and of revenue comes from guests, who earn nothing?
-- month: first local date of the month
-- currency: ISO 4217 code of the amounts
-- purchases: purchases of all; one that was sent twice counts once
-- guest_purchases: those of guests
-- guest_share: guest purchases as a part of all, 0 to 1
-- revenue_minor: paid by all, minor units
-- guest_revenue_minor: paid by guests, minor units
SELECT
    toStartOfMonth(occurred_on) AS month,
    currency,
    count() AS purchases,
    countIf(member_id = '') AS guest_purchases,
    round(guest_purchases / purchases, 4) AS guest_share,
    sum(toInt128(amount_minor)) AS revenue_minor,
    sumIf(toInt128(amount_minor), member_id = '') AS guest_revenue_minor
FROM
(
    SELECT occurred_on, currency, member_id, amount_minor
    FROM tallybook.facts
    WHERE fact_type = 'PurchaseRecorded'
    ORDER BY partition, page, line
    LIMIT 1 BY source, event_id, member_id
)
GROUP BY month, currency
ORDER BY month, currency
