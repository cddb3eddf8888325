-- The last tick of each partition.
INSERT INTO tallybook_rows.ticks (partition, at)
SELECT partition, max(said.`ClockTicked`.at)
FROM {staged:Identifier}
WHERE variantType(said) = {ClockTicked:String}
GROUP BY partition
