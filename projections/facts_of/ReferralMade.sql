-- A ReferralMade as a row of `facts`; see inserts/facts.sql. Names tell constants of different types apart.
SELECT
    partition, page, line, 'ReferralMade' AS fact_type, member_id, said.`ReferralMade`.source,
    said.`ReferralMade`.event_id, said.`ReferralMade`.occurred_at, received_at, '' AS store_id,
    said.`ReferralMade`.channel, '' AS tender, '' AS currency, '' AS order_id, 0 AS amount_minor, 0 AS discount_minor,
    0 AS quantity_milli, 0 AS line_count, said.`ReferralMade`.referrer_id, said.`ReferralMade`.referee_id, '' AS sku,
    '' AS network, '' AS content_id, NULL AS rating, 0 AS text_length, 0 AS media_count, 0 AS claim_rank,
    0 AS purchase_rank, '' AS purchase_source, '' AS purchase_event_id, said.`ReferralMade`.attributes, input, record
FROM {staged:Identifier}
WHERE variantType(said) = {ReferralMade:String}
