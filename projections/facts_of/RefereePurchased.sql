-- A RefereePurchased as a row of `facts`; see inserts/facts.sql. Names tell constants of different types apart.
SELECT
    partition, page, line, 'RefereePurchased' AS fact_type, member_id, said.`RefereePurchased`.source,
    said.`RefereePurchased`.event_id, said.`RefereePurchased`.occurred_at, received_at, '' AS store_id, '' AS channel,
    '' AS tender, said.`RefereePurchased`.currency, '' AS order_id, said.`RefereePurchased`.amount_minor,
    0 AS discount_minor, 0 AS quantity_milli, 0 AS line_count, said.`RefereePurchased`.referrer_id,
    said.`RefereePurchased`.referee_id, '' AS sku, '' AS network, '' AS content_id, NULL AS rating, 0 AS text_length,
    0 AS media_count, said.`RefereePurchased`.claim_rank, said.`RefereePurchased`.purchase_rank,
    said.`RefereePurchased`.purchase_source, said.`RefereePurchased`.purchase_event_id, map() AS attributes, input,
    record
FROM {staged:Identifier}
WHERE variantType(said) = {RefereePurchased:String}
