-- Which products are reviewed, how well, and what did the reviews cost?
-- sku: product
-- reviews: reviews; one that was sent twice counts once
-- reviewers: members who wrote them
-- average_rating: mean of the ratings given, 0 to 10; NULL if there are none
-- with_media: reviews with pictures or films
-- points: points awarded for them
SELECT
    review.sku AS sku,
    count() AS reviews,
    uniqExact(review.member_id) AS reviewers,
    round(avg(review.rating), 2) AS average_rating,
    countIf(review.media_count > 0) AS with_media,
    sum(toInt128(ifNull(paid.points, 0))) AS points
FROM
(
    SELECT source, event_id, member_id, sku, rating, media_count
    FROM tallybook.facts
    WHERE fact_type = 'ReviewSubmitted'
    ORDER BY partition, page, line
    LIMIT 1 BY source, event_id, member_id
) AS review
LEFT JOIN
(
    SELECT source, event_id, member_id, sum(points) AS points
    FROM tallybook.ledger
    WHERE fact_type = 'ReviewSubmitted' AND entry_type = 'PointsAwarded'
    GROUP BY source, event_id, member_id
) AS paid
    ON review.source = paid.source AND review.event_id = paid.event_id AND review.member_id = paid.member_id
GROUP BY sku
ORDER BY reviews DESC, sku
LIMIT 50
