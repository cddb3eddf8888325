-- A ReviewSubmitted as a row of `facts`; see inserts/facts.sql. Names tell constants of different types apart.
SELECT
    partition, page, line, 'ReviewSubmitted' AS fact_type, member_id, said.`ReviewSubmitted`.source,
    said.`ReviewSubmitted`.event_id, said.`ReviewSubmitted`.occurred_at, received_at, said.`ReviewSubmitted`.store_id,
    said.`ReviewSubmitted`.channel, '' AS tender, '' AS currency, said.`ReviewSubmitted`.order_id, 0 AS amount_minor,
    0 AS discount_minor, 0 AS quantity_milli, 0 AS line_count, '' AS referrer_id, '' AS referee_id,
    said.`ReviewSubmitted`.sku, '' AS network, '' AS content_id, said.`ReviewSubmitted`.rating,
    said.`ReviewSubmitted`.text_length, said.`ReviewSubmitted`.media_count, 0 AS claim_rank, 0 AS purchase_rank,
    '' AS purchase_source, '' AS purchase_event_id, said.`ReviewSubmitted`.attributes, input, record
FROM {staged:Identifier}
WHERE variantType(said) = {ReviewSubmitted:String}
