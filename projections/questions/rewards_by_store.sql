-- How generous is each store: points issued, and how many for what its members paid?
-- store_id: store; empty for facts without one
-- points: points awarded for facts of this store
-- members: members who earned some there
-- revenue_minor: paid by members in purchases that counted, minor units of the programme's currency
-- points_for_purchases: points awarded for these purchases
-- points_per_100: the same for each 100 minor units paid; NULL where nothing was paid
SELECT
    posting.store_id AS store_id,
    sum(toInt128(posting.awarded)) AS points,
    uniqExactIf(posting.member_id, posting.awarded > 0) AS members,
    sumIf(toInt128(fact.amount_minor), posting.is_purchase) AS revenue_minor,
    sumIf(toInt128(posting.awarded), posting.is_purchase) AS points_for_purchases,
    if(revenue_minor = 0, NULL, round(points_for_purchases * 100 / revenue_minor, 2)) AS points_per_100
FROM
(
    SELECT
        partition,
        page,
        line,
        member_id,
        store_id,
        max(purchase_rank) > 0 AND max(reason) != 'other_currency' AS is_purchase,
        sumIf(points, entry_type = 'PointsAwarded') AS awarded
    FROM tallybook.ledger
    WHERE fact_type != 'ClockTicked'
    GROUP BY partition, page, line, member_id, store_id
) AS posting
INNER JOIN tallybook.facts AS fact
    ON posting.partition = fact.partition AND posting.page = fact.page AND posting.line = fact.line
GROUP BY store_id
ORDER BY points DESC, store_id
