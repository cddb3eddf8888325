-- Postings number {first} to {first} + {count}, one award each. Every member has {each} of them; the first tenth of the
-- members, the regulars, share the rest evenly. A member always earns the same and in the same store, and comes every
-- `gap` days in the two years from 1 January 2024: so every total follows from the count. Members are numbered in no
-- order of their ids.
SELECT
    i,
    i < {each:UInt64} * {members:UInt64} AS is_first_part,
    if(
        is_first_part,
        toUInt64(i % {members:UInt64}),
        toUInt64((i - {each:UInt64} * {members:UInt64}) % {regulars:UInt64})
    ) AS m,
    1 + if(
        is_first_part,
        toUInt64(intDiv(i, {members:UInt64})),
        toUInt64({each:UInt64} + intDiv(i - {each:UInt64} * {members:UInt64}, {regulars:UInt64}))
    ) AS seq,
    intDiv(730, {each:UInt64} + {more:UInt64} * (m < {regulars:UInt64})) AS gap,
    lower(hex(intHash64(m))) AS member_id,
    toInt64(10 + m % 490) AS points,
    concat('store-', toString(m % 50)) AS store_id,
    toDate32('2024-01-01') + (seq - 1) * gap AS day,
    toDateTime64(day, 3, 'UTC') + toIntervalSecond(intHash32(m) % 86400) AS occurred_at
FROM (SELECT number AS i FROM numbers({first:UInt64}, {count:UInt64}))
