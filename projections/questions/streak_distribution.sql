-- How long are the longest check-in streaks of our members?
-- longest_run: days of a member's longest run, as it was counted when each day was held
-- members: members whose longest run is this long
-- at_least: members whose longest run is this long or longer
SELECT
    longest_run,
    count() AS members,
    sum(members) OVER (ORDER BY longest_run DESC) AS at_least
FROM (SELECT member_id, max(run_length) AS longest_run FROM tallybook.check_in_days GROUP BY member_id)
GROUP BY longest_run
ORDER BY longest_run
