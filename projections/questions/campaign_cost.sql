-- What did each campaign (multiplier) add to the points that were paid?
-- A rule's award under multipliers is compared with what it would have been without; where several took part, the extra
-- is divided by how much each multiplied and how far above (or below) 1. An estimate: rounding and limits are shared out in proportion.
-- campaign: rule id of the multiplier
-- awards: awards in which it took part
-- points: points of these awards
-- extra_points: the part of them that the campaign added, estimated, rounded to hundredths
-- first_day: first local date on which it took part
-- last_day: last local date on which it took part
WITH
    -- The workings hold exact numbers as text: a decimal, or a fraction such as 1/3.
    (text) -> toFloat64OrZero(splitByChar('/', text)[1])
        / if(position(text, '/') > 0, toFloat64OrZero(splitByChar('/', text)[2]), 1) AS number,
    number(toString(rate)) * basis AS without,
    paid * (1 - without / nullIf(number(exact), 0)) AS extra,
    arrayMap((factor, of) -> (number(factor) - 1) * of, factors, factor_basis) AS weights
SELECT
    campaign,
    count() AS awards,
    sum(toInt128(paid)) AS points,
    round(sum(ifNull(extra * weight / nullIf(arraySum(weights), 0), 0)), 2) AS extra_points,
    min(local_day) AS first_day,
    max(local_day) AS last_day
FROM tallybook.workings
ARRAY JOIN factor_rules AS campaign, weights AS weight
WHERE paid > 0
GROUP BY campaign
ORDER BY extra_points DESC, campaign
