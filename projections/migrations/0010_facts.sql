CREATE TABLE IF NOT EXISTS tallybook_rows.facts
(
    partition UInt32 COMMENT 'Partition of the journal, from 0',
    page UInt64 COMMENT 'Journal page, from 0 in each partition',
    line UInt32 COMMENT 'Line on the page, from 0',
    fact_type LowCardinality(String) COMMENT 'PurchaseRecorded, CheckedIn, ContentShared, ReviewSubmitted, ReferralMade or RefereePurchased',
    member_id String COMMENT 'Member in whose order the fact is journalled; empty for a guest',
    source LowCardinality(String) COMMENT 'Publishing system; tallybook for facts derived by Tallybook itself',
    event_id String COMMENT 'Id of the event, unique in its source',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When it happened, UTC',
    received_at DateTime64(3, 'UTC') COMMENT 'When it reached Tallybook, UTC',
    store_id LowCardinality(String) COMMENT 'Store where it happened; empty if not given',
    channel LowCardinality(String) COMMENT 'Sales channel; empty if not given',
    tender LowCardinality(String) COMMENT 'Means of payment of a purchase; empty if not given',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of all amounts of this row; empty where there is no amount',
    order_id String COMMENT 'Order of a purchase, or the order a review speaks of; empty if not given',
    amount_minor Int64 COMMENT 'Total paid for the order, minor units of the currency; 0 if no purchase',
    discount_minor Int64 COMMENT 'Total discount on the order, minor units; 0 if none',
    quantity_milli Int64 COMMENT 'Sum of the quantities of all lines, thousandths of a unit',
    line_count UInt32 COMMENT 'Number of lines of the purchase',
    referrer_id String COMMENT 'Member who brought the referee (referral), or whom the buyer names; empty if none',
    referee_id String COMMENT 'Member who was brought (ReferralMade, RefereePurchased); else empty',
    sku String COMMENT 'Product that was shared or reviewed; empty if not given',
    network LowCardinality(String) COMMENT 'Network on which content was shared; else empty',
    content_id String COMMENT 'What was shared; empty if not given',
    rating Nullable(UInt8) COMMENT 'Rating of a review, 0 to 10; NULL if not given',
    text_length UInt32 COMMENT 'Length of a review, characters',
    media_count UInt32 COMMENT 'Pictures and films of a review',
    claim_rank UInt32 COMMENT 'Rank of the claim among all on the referee, from 1 (RefereePurchased); else 0',
    purchase_rank UInt32 COMMENT 'Rank of the purchase among all of the referee, from 1 (RefereePurchased); else 0',
    purchase_source LowCardinality(String) COMMENT 'Source of the purchase that a RefereePurchased tells of; else empty',
    purchase_event_id String COMMENT 'Event id of the purchase that a RefereePurchased tells of; else empty',
    attributes Map(LowCardinality(String), String) COMMENT 'What else the publisher said, name to text',
    input LowCardinality(String) COMMENT 'Input it was read from; empty for facts made by Tallybook',
    record UInt64 COMMENT 'Record in that input, from 1; 0 for facts made by Tallybook'
)
ENGINE = ReplacingMergeTree
PARTITION BY toYear(occurred_at)
ORDER BY (partition, page, line)
COMMENT 'Journalled facts, guests included; one row per journal line (a referral has one for each party)'
