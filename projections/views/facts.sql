CREATE OR REPLACE VIEW tallybook.facts
(
    partition UInt32 COMMENT 'Partition of the journal, from 0',
    page UInt64 COMMENT 'Journal page, from 0 in each partition',
    line UInt32 COMMENT 'Line on the page, from 0',
    fact_type String COMMENT 'PurchaseRecorded, CheckedIn, ContentShared, ReviewSubmitted, ReferralMade or RefereePurchased',
    member_id String COMMENT 'Member in whose order the fact is journalled; empty for a guest',
    source String COMMENT 'Publishing system; tallybook for facts derived by Tallybook itself',
    event_id String COMMENT 'Id of the event, unique in its source',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When it happened, UTC',
    occurred_on Date32 COMMENT 'Local date of occurred_at, in the zone of the programme',
    received_at DateTime64(3, 'UTC') COMMENT 'When it reached Tallybook, UTC',
    store_id String COMMENT 'Store where it happened; empty if not given',
    channel String COMMENT 'Sales channel; empty if not given',
    tender String COMMENT 'Means of payment of a purchase; empty if not given',
    currency String COMMENT 'ISO 4217 code of all amounts of this row; empty where there is no amount',
    order_id String COMMENT 'Order of a purchase, or the order a review speaks of; empty if not given',
    amount_minor Int64 COMMENT 'Total paid for the order, minor units of the currency; 0 if no purchase',
    discount_minor Int64 COMMENT 'Total discount on the order, minor units; 0 if none',
    quantity_milli Int64 COMMENT 'Sum of the quantities of all lines, thousandths of a unit',
    line_count UInt32 COMMENT 'Number of lines of the purchase',
    referrer_id String COMMENT 'Member who brought the referee (referral), or whom the buyer names; empty if none',
    referee_id String COMMENT 'Member who was brought (ReferralMade, RefereePurchased); else empty',
    sku String COMMENT 'Product that was shared or reviewed; empty if not given',
    network String COMMENT 'Network on which content was shared; else empty',
    content_id String COMMENT 'What was shared; empty if not given',
    rating Nullable(UInt8) COMMENT 'Rating of a review, 0 to 10; NULL if not given',
    text_length UInt32 COMMENT 'Length of a review, characters',
    media_count UInt32 COMMENT 'Pictures and films of a review',
    claim_rank UInt32 COMMENT 'Rank of the claim among all on the referee, from 1 (RefereePurchased); else 0',
    purchase_rank UInt32 COMMENT 'Rank of the purchase among all of the referee, from 1 (RefereePurchased); else 0',
    purchase_source String COMMENT 'Source of the purchase that a RefereePurchased tells of; else empty',
    purchase_event_id String COMMENT 'Event id of the purchase that a RefereePurchased tells of; else empty',
    attributes Map(String, String) COMMENT 'What else the publisher said, name to text',
    input String COMMENT 'Input it was read from; empty for facts made by Tallybook',
    record UInt64 COMMENT 'Record in that input, from 1; 0 for facts made by Tallybook',
    as_of Nullable(DateTime64(3, 'UTC')) COMMENT 'Last tick, UTC; NULL before the first tick'
)
AS WITH
    -- The clocks of the programme as the books have them; ClickHouse's own zone tables may differ.
    arrayPushFront((
        SELECT argMax(changed_at, (effective_from, page, line)) FROM tallybook_rows.zone_changes FINAL
    ), -62135596800000) AS zone_changes,
    arrayPushFront((
        SELECT argMax(shift_ms, (effective_from, page, line)) FROM tallybook_rows.zone_changes FINAL
    ), 0) AS zone_shifts,
    (ms) -> toDate32(fromUnixTimestamp64Milli(
        ms + transform(roundDown(ms, zone_changes), zone_changes, zone_shifts, 0), 'UTC'
    )) AS local_date
SELECT
    *,
    local_date(toUnixTimestamp64Milli(occurred_at)) AS occurred_on,
    (SELECT minOrNull(at) FROM tallybook_rows.ticks FINAL) AS as_of
FROM tallybook_rows.facts FINAL
COMMENT 'What was reported, guests included; one row per journal line: a referral has one for each party, and a fact sent twice has two'
