"""Exports the JSON Schema of rulesets, by which editors complete, explain and underline."""

from typing import Any, Final

from processors.decider.kinds.registry import RULE_KINDS
from processors.decider.rules.ruleset import Ruleset
from schemas.currencies import DECIMALS

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_WORDS: Final = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}
_DROPPED: Final = frozenset({"discriminator"})


def ruleset_json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a ruleset file.

    It knows keys, kinds, bounds and which field goes with which fact; what lies between rules (limit ids, `applies_to`,
    products of factors) only `tallybook rules check` knows.
    """
    schema = Ruleset.model_json_schema(by_alias=True, mode="validation")
    definitions = schema["$defs"]
    for kind in RULE_KINDS.values():
        when_schemas = kind.when_schemas()
        if when_schemas:
            definitions[kind.__name__]["allOf"] = when_schemas
    definitions["Limit"]["oneOf"] = [{"required": ["points"]}, {"required": ["times"]}]
    definitions["RollingExpiry"]["oneOf"] = [{"required": ["days"]}, {"required": ["months"]}]
    for name in ("When", "LineConditions", "Active"):
        definitions[name]["minProperties"] = 1
    # A version such as 2026.1 looks like a number to an editor; Tallybook reads it as written.
    schema["properties"]["version"]["type"] = ["string", "number"]
    schema["properties"]["currency"]["enum"] = sorted(DECIMALS)
    tidied: dict[str, Any] = _tidied(schema)
    return {"$schema": _DIALECT, "$id": "urn:tallybook:schema:ruleset", "title": "Tallybook ruleset"} | tidied


def _tidied(value: Any) -> Any:
    """The schema in JSON Schema's own words, without what only Python knows: null, titles, long docstrings."""
    if isinstance(value, list):
        return [_tidied(item) for item in value]
    if not isinstance(value, dict):
        return value
    node = {_WORDS.get(key, key): _tidied(item) for key, item in value.items() if key not in _DROPPED}
    if isinstance(node.get("title"), str):
        del node["title"]
    if isinstance(node.get("description"), str):
        node["description"] = node["description"].split("\n\n")[0].replace("\n", " ")
    if "default" in node and node["default"] is None:
        del node["default"]
    choices = [choice for choice in node.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        del node["anyOf"]
        node = choices[0] | node
    elif choices:
        node["anyOf"] = choices
    return node
