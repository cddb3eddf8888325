-- One row per journal line that tells of a member or a guest. A column that a kind of fact does not have is empty.
-- Behind it comes a select of facts_of/ for each kind that is there: each costs some milliseconds to plan.
INSERT INTO tallybook_rows.facts
(
    partition, page, line, fact_type, member_id, source, event_id, occurred_at, received_at, store_id, channel, tender,
    currency, order_id, amount_minor, discount_minor, quantity_milli, line_count, referrer_id, referee_id, sku, network,
    content_id, rating, text_length, media_count, claim_rank, purchase_rank, purchase_source, purchase_event_id,
    attributes, input, record
)
