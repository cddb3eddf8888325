-- One row per publication of a ruleset.
INSERT INTO tallybook_rows.rulesets
    (version, ruleset_hash, effective_from, partition, page, line, semantics, timezone, text)
SELECT
    said.`RulesetPublished`.version,
    said.`RulesetPublished`.ruleset_hash,
    said.`RulesetPublished`.effective_from,
    partition,
    page,
    line,
    said.`RulesetPublished`.semantics,
    said.`RulesetPublished`.timezone,
    said.`RulesetPublished`.text
FROM {staged:Identifier}
WHERE variantType(said) = {RulesetPublished:String}
