-- One row per journal line that tells of a member or a guest. A column that a kind of fact does not have is empty.
INSERT INTO tallybook_rows.facts
(
    partition, page, line, fact_type, member_id, source, event_id, occurred_at, received_at, store_id, channel, tender,
    currency, order_id, amount_minor, discount_minor, quantity_milli, line_count, referrer_id, referee_id, sku, network,
    content_id, rating, text_length, media_count, claim_rank, purchase_rank, purchase_source, purchase_event_id,
    attributes, input, record
)
SELECT
    partition, page, line, 'PurchaseRecorded', member_id, fact.source, fact.event_id, fact.occurred_at, received_at,
    fact.store_id, fact.channel, fact.tender, fact.currency, fact.order_id, arraySum(fact.lines.amount_minor),
    arraySum(fact.lines.discount_minor), arraySum(fact.lines.quantity_milli), length(fact.lines),
    ifNull(fact.referrer_id, ''), '', '', '', '', NULL, 0, 0, 0, 0, '', '', fact.attributes, input, record
FROM
(
    SELECT *, variantElement(said, {PurchaseRecorded:String}) AS fact
    FROM {staged:Identifier}
    WHERE variantType(said) = {PurchaseRecorded:String}
)
UNION ALL
SELECT
    partition, page, line, 'CheckedIn', member_id, fact.source, fact.event_id, fact.occurred_at, received_at,
    fact.store_id, fact.channel, '', '', '', 0, 0, 0, 0, '', '', '', '', '', NULL, 0, 0, 0, 0, '', '',
    fact.attributes, input, record
FROM
(
    SELECT *, variantElement(said, {CheckedIn:String}) AS fact
    FROM {staged:Identifier}
    WHERE variantType(said) = {CheckedIn:String}
)
UNION ALL
SELECT
    partition, page, line, 'ContentShared', member_id, fact.source, fact.event_id, fact.occurred_at, received_at,
    fact.store_id, fact.channel, '', '', '', 0, 0, 0, 0, '', '', fact.sku, fact.network, fact.content_id, NULL, 0, 0,
    0, 0, '', '', fact.attributes, input, record
FROM
(
    SELECT *, variantElement(said, {ContentShared:String}) AS fact
    FROM {staged:Identifier}
    WHERE variantType(said) = {ContentShared:String}
)
UNION ALL
SELECT
    partition, page, line, 'ReviewSubmitted', member_id, fact.source, fact.event_id, fact.occurred_at, received_at,
    fact.store_id, fact.channel, '', '', fact.order_id, 0, 0, 0, 0, '', '', fact.sku, '', '', fact.rating,
    fact.text_length, fact.media_count, 0, 0, '', '', fact.attributes, input, record
FROM
(
    SELECT *, variantElement(said, {ReviewSubmitted:String}) AS fact
    FROM {staged:Identifier}
    WHERE variantType(said) = {ReviewSubmitted:String}
)
UNION ALL
SELECT
    partition, page, line, 'ReferralMade', member_id, fact.source, fact.event_id, fact.occurred_at, received_at,
    '', fact.channel, '', '', '', 0, 0, 0, 0, fact.referrer_id, fact.referee_id, '', '', '', NULL, 0, 0, 0, 0, '', '',
    fact.attributes, input, record
FROM
(
    SELECT *, variantElement(said, {ReferralMade:String}) AS fact
    FROM {staged:Identifier}
    WHERE variantType(said) = {ReferralMade:String}
)
UNION ALL
SELECT
    partition, page, line, 'RefereePurchased', member_id, fact.source, fact.event_id, fact.occurred_at, received_at,
    '', '', '', fact.currency, '', fact.amount_minor, 0, 0, 0, fact.referrer_id, fact.referee_id, '', '', '', NULL, 0,
    0, fact.claim_rank, fact.purchase_rank, fact.purchase_source, fact.purchase_event_id, map(), input, record
FROM
(
    SELECT *, variantElement(said, {RefereePurchased:String}) AS fact
    FROM {staged:Identifier}
    WHERE variantType(said) = {RefereePurchased:String}
)
