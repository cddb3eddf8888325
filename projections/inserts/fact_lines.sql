-- One row per line of a purchase.
INSERT INTO tallybook_rows.fact_lines
(
    partition, page, line, n, member_id, occurred_at, store_id, order_id, currency, sku, category, brand,
    quantity_milli, amount_minor, discount_minor, unit_price_minor
)
SELECT
    partition,
    page,
    line,
    n,
    ifNull(purchase.member_id, ''),
    purchase.occurred_at,
    purchase.store_id,
    purchase.order_id,
    purchase.currency,
    bought.sku,
    bought.category,
    bought.brand,
    bought.quantity_milli,
    bought.amount_minor,
    bought.discount_minor,
    bought.unit_price_minor
FROM
(
    SELECT partition, page, line, variantElement(said, {PurchaseRecorded:String}) AS purchase
    FROM {staged:Identifier}
    WHERE variantType(said) = {PurchaseRecorded:String}
)
ARRAY JOIN
    purchase.lines AS bought,
    arrayEnumerate(purchase.lines) AS n
