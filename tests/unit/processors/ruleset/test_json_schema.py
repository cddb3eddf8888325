"""The schema for editors is the one that the models say, lets pass what is a ruleset, and underlines what is not."""

import re
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest

from processors.ruleset.json_schema import ruleset_json_schema
from processors.ruleset.yaml_text import read_yaml
from scripts.json_schemas import RULESET, render
from tests.support.random_rulesets import ZONES, RulesetMaker, block
from tests.support.ruleset_documents import BASE, document

PROGRAMMES = sorted((Path(__file__).parents[4] / "rulesets").glob("*/*.yaml"))
SCHEMA = ruleset_json_schema()


def seen(value: Any) -> Any:
    """Data with scalars as an editor understands them."""
    if isinstance(value, dict):
        return {key: seen(held) for key, held in value.items()}
    if isinstance(value, list):
        return [seen(held) for held in value]
    return scalar(value)


def said_of(text: str) -> list[str]:
    return complaints(SCHEMA, seen(read_yaml(text).data), SCHEMA)


def test_the_committed_schema_is_up_to_date() -> None:
    assert RULESET.read_text(encoding="utf-8") == render(SCHEMA), "run: python -m scripts.json_schemas"


@pytest.mark.parametrize("file", PROGRAMMES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_shipped_programmes_fit(file: Path) -> None:
    assert said_of(file.read_text(encoding="utf-8")) == []


def test_random_rulesets_fit() -> None:
    for seed in range(60):
        rng = Random(seed)
        assert said_of(block(RulesetMaker(rng, rng.choice(ZONES), date(2026, 3, 1), "v1", "").document())) == []


@pytest.mark.parametrize(
    "text",
    [
        document(BASE + "  - {id: tuesday, kind: mutiplier, factor: 2}\n"),
        document("  - {id: base, kind: spend, points: 1}\n"),
        document("  - {id: base, kind: spend, points: 0, per_minor: 100}\n"),
        document("  - {id: base, kind: spend, points: 1, per_minor: 100, when: {rating: 5}}\n"),
        document("  - {id: good, kind: fixed, on: review, points: 1, when: {tender: cash}}\n"),
        document("  - {id: base, kind: spend, points: 1, per_minor: 100, when: {}}\n"),
        document("  - {id: base, kind: spend, points: 1, per_minor: 100, lines: {category: {any_of: [a]}}}\n"),
        document("  - {id: base, kind: spend, points: 1, per_minor: 100, active: {weekdays: [moonday]}}\n"),
        document(before="limits:\n  - {id: a, per: day}\n"),
        document(before="limits:\n  - {id: a, per: day, points: 1, times: 1}\n"),
        document(before="expiry: {kind: rolling, days: 1, months: 1}\n"),
        document(before="currency_: EUR\n"),
        document(after="examples:\n  - {name: x, facts: [{purchse: anna, at: 2026-01-01}], expect: []}\n"),
    ],
)
def test_what_is_no_ruleset_is_underlined(text: str) -> None:
    assert said_of(text)


def test_an_editor_can_explain_every_key() -> None:
    for name, definition in SCHEMA["$defs"].items():
        assert definition.get("description"), name
    for name, key in SCHEMA["properties"].items():
        assert key.get("description"), name


TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}
SAID_ONLY = {"$schema", "$id", "$defs", "$ref", "title", "description", "default", "format", "then"}


def scalar(text: str) -> Any:
    """A plain scalar as an editor with YAML 1.2 understands it; there is no quoting left to tell them apart."""
    if re.fullmatch(r"-?(0|[1-9][0-9]*)", text):
        return int(text)
    if re.fullmatch(r"-?[0-9]+\.[0-9]+", text):
        return float(text)
    return {"true": True, "false": False}.get(text, text)


def complaints(schema: Any, value: Any, root: Any, path: str = "") -> list[str]:
    """Where `value` is not as `schema` says."""
    found = complaints(resolve(schema["$ref"], root), value, root, path) if "$ref" in schema else []
    for keyword, rule in schema.items():
        if keyword not in SAID_ONLY:
            found += CHECKS[keyword](rule, value, root, path, schema)
    return found


def resolve(reference: str, root: Any) -> Any:
    for part in reference.removeprefix("#/").split("/"):
        root = root[part]
    return root


def _type(rule: Any, value: Any, _root: Any, path: str, _schema: Any) -> list[str]:
    names = rule if isinstance(rule, list) else [rule]
    fits = any(isinstance(value, TYPES[name]) and (name == "boolean") == isinstance(value, bool) for name in names)
    # An editor sees quotes; here they are gone, so a number may stand where a text is meant.
    return [] if fits or ("string" in names and not isinstance(value, dict | list)) else [f"{path}: not {names}"]


def _properties(rule: Any, value: Any, root: Any, path: str, _schema: Any) -> list[str]:
    if not isinstance(value, dict):
        return []
    return [said for key in value if key in rule for said in complaints(rule[key], value[key], root, f"{path}/{key}")]


def _additional(rule: Any, value: Any, root: Any, path: str, schema: Any) -> list[str]:
    others = [key for key in value if key not in schema.get("properties", {})] if isinstance(value, dict) else []
    if isinstance(rule, bool):
        return [] if rule else [f"{path}: unknown {key}" for key in others]
    return [said for key in others for said in complaints(rule, value[key], root, f"{path}/{key}")]


def _names(rule: Any, value: Any, root: Any, path: str, _schema: Any) -> list[str]:
    return [said for key in value for said in complaints(rule, key, root, path)] if isinstance(value, dict) else []


def _items(rule: Any, value: Any, root: Any, path: str, _schema: Any) -> list[str]:
    items = enumerate(value) if isinstance(value, list) else ()
    return [said for at, item in items for said in complaints(rule, item, root, f"{path}/{at}")]


def _required(rule: Any, value: Any, _root: Any, path: str, _schema: Any) -> list[str]:
    return [f"{path}: {key} is missing" for key in rule if isinstance(value, dict) and key not in value]


def _one_of(rule: Any, value: Any, root: Any, path: str, _schema: Any) -> list[str]:
    fits = [not complaints(choice, value, root, path) for choice in rule]
    return [] if sum(fits) == 1 else [f"{path}: {sum(fits)} choices fit"]


def _any_of(rule: Any, value: Any, root: Any, path: str, _schema: Any) -> list[str]:
    return [] if any(not complaints(choice, value, root, path) for choice in rule) else [f"{path}: no choice fits"]


def _all_of(rule: Any, value: Any, root: Any, path: str, _schema: Any) -> list[str]:
    return [said for choice in rule for said in complaints(choice, value, root, path)]


def _if(rule: Any, value: Any, root: Any, path: str, schema: Any) -> list[str]:
    return [] if complaints(rule, value, root, path) else complaints(schema["then"], value, root, path)


def _bound(keyword: str) -> Any:
    def check(rule: Any, value: Any, _root: Any, path: str, _schema: Any) -> list[str]:
        if keyword in ("minimum", "maximum", "exclusiveMinimum"):
            if not isinstance(value, int | float):
                return []
            fits = {"minimum": value >= rule, "maximum": value <= rule, "exclusiveMinimum": value > rule}[keyword]
        else:
            sized: Any = {"Items": list, "Properties": dict, "Length": str}[keyword[3:]]
            if not isinstance(value, sized):
                return []
            fits = len(value) >= rule if keyword.startswith("min") else len(value) <= rule
        return [] if fits else [f"{path}: {keyword} {rule}"]

    return check


CHECKS: dict[str, Any] = {
    "type": _type,
    "properties": _properties,
    "additionalProperties": _additional,
    "propertyNames": _names,
    "items": _items,
    "required": _required,
    "oneOf": _one_of,
    "anyOf": _any_of,
    "allOf": _all_of,
    "if": _if,
    "enum": lambda rule, value, _r, path, _s: [] if value in rule else [f"{path}: {value} is none of {rule}"],
    "const": lambda rule, value, _r, path, _s: [] if value == rule else [f"{path}: not {rule}"],
    "pattern": lambda rule, value, _r, path, _s: [] if re.search(rule, str(value)) else [f"{path}: not like {rule}"],
    **{name: _bound(name) for name in ("minimum", "maximum", "exclusiveMinimum")},
    **{
        f"{side}{what}": _bound(f"{side}{what}")
        for side in ("min", "max")
        for what in ("Items", "Properties", "Length")
    },
}
