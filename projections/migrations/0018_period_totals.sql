CREATE TABLE IF NOT EXISTS tallybook_rows.period_totals
(
    edition LowCardinality(String) COMMENT 'Edition of the ledger',
    scope LowCardinality(String) COMMENT 'Store id; empty for the whole programme',
    day Date32 COMMENT 'Local date in the zone of the programme',
    member_id String COMMENT 'Member',
    seq UInt64 COMMENT 'Posting after which these are the totals; the highest row stands',
    earned_day Int64 COMMENT 'Points earned (gross) on that date',
    earned_week Int64 COMMENT 'Points earned (gross) in the ISO week of that date',
    earned_month Int64 COMMENT 'Points earned (gross) in the month of that date',
    earned_year Int64 COMMENT 'Points earned (gross) in the year of that date',
    earned_ever Int64 COMMENT 'Points earned (gross) since the account was opened',
    reached_at DateTime64(3, 'UTC') COMMENT 'Instant at which these totals were reached, UTC'
)
ENGINE = ReplacingMergeTree(seq)
PARTITION BY edition
ORDER BY (edition, scope, day, member_id)
COMMENT 'Gross points earned in the periods around each day with an award; one row per scope, day and member. The total of a period is the row with the highest seq among its days'
