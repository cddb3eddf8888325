CREATE OR REPLACE VIEW tallybook.rescore_by_day
(
    run String COMMENT 'Number of the re-scoring, such as 0001',
    draft String COMMENT 'Name of the draft',
    local_day Nullable(Date32) COMMENT 'Local date of the facts, or on which the points expired; NULL where no rule was asked',
    cause String COMMENT 'direct: the rule says something else; knock_on: the account was another; expiry: points expired otherwise',
    lines UInt64 COMMENT 'Rows of rescore_lines',
    members UInt64 COMMENT 'Members with such rows',
    points_before Int128 COMMENT 'Points on these rows under the rules of the books',
    points_after Int128 COMMENT 'Points on these rows under the draft',
    change Int128 COMMENT 'points_after less points_before',
    as_of Nullable(DateTime64(3, 'UTC')) COMMENT 'Last tick of the books that the run read, UTC'
)
AS SELECT
    run,
    draft,
    local_day,
    cause,
    count() AS lines,
    uniqExact(member_id) AS members,
    sum(toInt128(rescore_lines.points_before)) AS points_before,
    sum(toInt128(rescore_lines.points_after)) AS points_after,
    points_after - points_before AS change,
    any(runs.as_of) AS as_of
FROM tallybook_rows.rescore_lines FINAL
INNER JOIN (SELECT run, draft, as_of FROM tallybook_rows.rescore_runs FINAL) AS runs USING (run, draft)
GROUP BY run, draft, local_day, cause
COMMENT 'What re-scorings found, added up by local day and cause'
