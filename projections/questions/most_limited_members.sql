-- Whom do limits cut most often, and by how much?
-- member_id: member
-- times: awards that a limit cut
-- points_cut: points that were not paid because of it
-- limit_ids: limits that did it
SELECT
    member_id,
    uniqExact((seq, n)) AS times,
    sum(if(is_first, toInt128(rounded) - paid, 0)) AS points_cut,
    arraySort(groupUniqArray(limit_id)) AS limit_ids
FROM
(
    -- One row for each limit of an award; the points it lost are counted with the first of them.
    SELECT member_id, seq, n, rounded, paid, limit_id, limit_id = limit_ids[1] AS is_first
    FROM tallybook.workings
    ARRAY JOIN limit_ids AS limit_id
)
GROUP BY member_id
ORDER BY points_cut DESC, times DESC, member_id
LIMIT 20
