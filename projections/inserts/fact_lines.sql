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
    ifNull(said.`PurchaseRecorded`.member_id, ''),
    said.`PurchaseRecorded`.occurred_at,
    said.`PurchaseRecorded`.store_id,
    said.`PurchaseRecorded`.order_id,
    said.`PurchaseRecorded`.currency,
    bought_sku,
    bought_category,
    bought_brand,
    bought_quantity_milli,
    bought_amount_minor,
    bought_discount_minor,
    bought_unit_price_minor
FROM {staged:Identifier}
ARRAY JOIN
    said.`PurchaseRecorded`.lines.amount_minor AS bought_amount_minor,
    said.`PurchaseRecorded`.lines.brand AS bought_brand,
    said.`PurchaseRecorded`.lines.category AS bought_category,
    said.`PurchaseRecorded`.lines.discount_minor AS bought_discount_minor,
    said.`PurchaseRecorded`.lines.quantity_milli AS bought_quantity_milli,
    said.`PurchaseRecorded`.lines.sku AS bought_sku,
    said.`PurchaseRecorded`.lines.unit_price_minor AS bought_unit_price_minor,
    arrayEnumerate(said.`PurchaseRecorded`.lines.sku) AS n
WHERE variantType(said) = {PurchaseRecorded:String}
