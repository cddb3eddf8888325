-- A fact of any kind but PurchaseRecorded as a row of `facts`; see inserts/facts.sql. AnyFact stands for the kind's name.
-- A column takes the field of its name, or the value behind the name where the kind has no such field.
WITH said.`AnyFact` AS fact
SELECT
    partition, page, line, 'AnyFact' AS fact_type, member_id, fact.source, fact.event_id, fact.occurred_at, received_at,
    tupleElement(fact, 'store_id', '') AS store_id, tupleElement(fact, 'channel', '') AS channel,
    tupleElement(fact, 'tender', '') AS tender, tupleElement(fact, 'currency', '') AS currency,
    tupleElement(fact, 'order_id', '') AS order_id, tupleElement(fact, 'amount_minor', 0) AS amount_minor,
    tupleElement(fact, 'discount_minor', 0) AS discount_minor,
    tupleElement(fact, 'quantity_milli', 0) AS quantity_milli, 0 AS line_count,
    tupleElement(fact, 'referrer_id', '') AS referrer_id, tupleElement(fact, 'referee_id', '') AS referee_id,
    tupleElement(fact, 'sku', '') AS sku, tupleElement(fact, 'network', '') AS network,
    tupleElement(fact, 'content_id', '') AS content_id, tupleElement(fact, 'rating', NULL) AS rating,
    tupleElement(fact, 'text_length', 0) AS text_length, tupleElement(fact, 'media_count', 0) AS media_count,
    tupleElement(fact, 'claim_rank', 0) AS claim_rank, tupleElement(fact, 'purchase_rank', 0) AS purchase_rank,
    tupleElement(fact, 'purchase_source', '') AS purchase_source,
    tupleElement(fact, 'purchase_event_id', '') AS purchase_event_id,
    tupleElement(fact, 'attributes', map()) AS attributes, input, record
FROM {staged:Identifier}
WHERE variantType(said) = {AnyFact:String}
