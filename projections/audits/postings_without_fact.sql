-- Law: every posting names the journal line that it decides, and that line holds the same fact for the same member.
-- (Work that falls due at a tick stands by the tick, which is no fact of a member.)
-- Rows: postings whose line is not there, or holds something else.
SELECT
    posting.edition AS edition,
    posting.partition AS partition,
    posting.number AS number,
    posting.member_id AS member_id,
    posting.source AS source,
    posting.event_id AS event_id,
    posting.page AS page,
    posting.line AS line
FROM
(
    SELECT DISTINCT edition, partition, number, member_id, fact_type, source, event_id, occurred_at, page, line
    FROM tallybook_rows.ledger FINAL
    WHERE fact_type != 'ClockTicked'
) AS posting
LEFT ANTI JOIN (SELECT * FROM tallybook_rows.facts FINAL) AS fact
    ON posting.partition = fact.partition AND posting.page = fact.page AND posting.line = fact.line
    AND posting.member_id = fact.member_id AND posting.fact_type = fact.fact_type AND posting.source = fact.source
    AND posting.event_id = fact.event_id AND posting.occurred_at = fact.occurred_at
ORDER BY edition, partition, number
LIMIT 1000
