-- A PurchaseRecorded as a row of `facts`, with the sums over its lines; see inserts/facts.sql. Names tell constants of
-- different types apart.
SELECT
    partition, page, line, 'PurchaseRecorded' AS fact_type, member_id, said.`PurchaseRecorded`.source,
    said.`PurchaseRecorded`.event_id, said.`PurchaseRecorded`.occurred_at, received_at,
    said.`PurchaseRecorded`.store_id, said.`PurchaseRecorded`.channel, said.`PurchaseRecorded`.tender,
    said.`PurchaseRecorded`.currency, said.`PurchaseRecorded`.order_id,
    arraySum(said.`PurchaseRecorded`.lines.amount_minor), arraySum(said.`PurchaseRecorded`.lines.discount_minor),
    arraySum(said.`PurchaseRecorded`.lines.quantity_milli), length(said.`PurchaseRecorded`.lines),
    ifNull(said.`PurchaseRecorded`.referrer_id, ''), '' AS referee_id, '' AS sku, '' AS network, '' AS content_id,
    NULL AS rating, 0 AS text_length, 0 AS media_count, 0 AS claim_rank, 0 AS purchase_rank, '' AS purchase_source,
    '' AS purchase_event_id, said.`PurchaseRecorded`.attributes, input, record
FROM {staged:Identifier}
WHERE variantType(said) = {PurchaseRecorded:String}
