-- A ContentShared as a row of `facts`; see inserts/facts.sql. Names tell constants of different types apart.
SELECT
    partition, page, line, 'ContentShared' AS fact_type, member_id, said.`ContentShared`.source,
    said.`ContentShared`.event_id, said.`ContentShared`.occurred_at, received_at, said.`ContentShared`.store_id,
    said.`ContentShared`.channel, '' AS tender, '' AS currency, '' AS order_id, 0 AS amount_minor,
    0 AS discount_minor, 0 AS quantity_milli, 0 AS line_count, '' AS referrer_id, '' AS referee_id,
    said.`ContentShared`.sku, said.`ContentShared`.network, said.`ContentShared`.content_id, NULL AS rating,
    0 AS text_length, 0 AS media_count, 0 AS claim_rank, 0 AS purchase_rank, '' AS purchase_source,
    '' AS purchase_event_id, said.`ContentShared`.attributes, input, record
FROM {staged:Identifier}
WHERE variantType(said) = {ContentShared:String}
