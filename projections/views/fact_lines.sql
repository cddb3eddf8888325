CREATE OR REPLACE VIEW tallybook.fact_lines
(
    partition UInt32 COMMENT 'Partition of the journal, from 0',
    page UInt64 COMMENT 'Journal page, from 0 in each partition',
    line UInt32 COMMENT 'Line on the journal page, from 0',
    n UInt32 COMMENT 'Line of the purchase, from 1',
    member_id String COMMENT 'Member who bought; empty for a guest',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When the purchase happened, UTC',
    store_id String COMMENT 'Store of the purchase; empty if not given',
    order_id String COMMENT 'Order of the purchase',
    currency String COMMENT 'ISO 4217 code of all amounts of this row',
    sku String COMMENT 'Product',
    category String COMMENT 'Category of the product; empty if not given',
    brand String COMMENT 'Brand of the product; empty if not given',
    quantity_milli Int64 COMMENT 'Quantity, thousandths of a unit',
    amount_minor Int64 COMMENT 'Paid for the whole line, minor units',
    discount_minor Int64 COMMENT 'Discount on the whole line, minor units',
    unit_price_minor Nullable(Int64) COMMENT 'Price of one unit, minor units; NULL if not given',
    as_of Nullable(DateTime64(3, 'UTC')) COMMENT 'Last tick, UTC; NULL before the first tick'
)
AS SELECT
    *,
    (SELECT minOrNull(at) FROM tallybook_rows.ticks FINAL) AS as_of
FROM tallybook_rows.fact_lines FINAL
COMMENT 'Lines of purchases, guests included; one row per line of a journalled purchase'
