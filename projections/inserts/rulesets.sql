-- One row per publication of a ruleset.
INSERT INTO tallybook_rows.rulesets
    (version, ruleset_hash, effective_from, partition, page, line, semantics, timezone, text)
SELECT
    ruleset.version,
    ruleset.ruleset_hash,
    ruleset.effective_from,
    partition,
    page,
    line,
    ruleset.semantics,
    ruleset.timezone,
    ruleset.text
FROM
(
    SELECT partition, page, line, variantElement(said, {RulesetPublished:String}) AS ruleset
    FROM {staged:Identifier}
    WHERE variantType(said) = {RulesetPublished:String}
)
