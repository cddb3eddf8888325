-- Law: the lines of a re-scoring add up to what its members change, and these to what all balances change.
-- Rows: re-scorings whose sums differ.
SELECT
    runs.run AS run,
    runs.draft AS draft,
    runs.balance_after - runs.balance_before AS total_change,
    members.change AS members_change,
    lines.change AS lines_change
FROM (SELECT * FROM tallybook_rows.rescore_runs FINAL) AS runs
LEFT JOIN (
    SELECT run, draft, sum(toInt128(balance_after) - balance_before) AS change
    FROM tallybook_rows.rescore_members FINAL
    GROUP BY run, draft
) AS members USING (run, draft)
LEFT JOIN (
    SELECT run, draft, sum(toInt128(points_after) - points_before) AS change
    FROM tallybook_rows.rescore_lines FINAL
    GROUP BY run, draft
) AS lines USING (run, draft)
WHERE members_change != total_change OR lines_change != total_change
