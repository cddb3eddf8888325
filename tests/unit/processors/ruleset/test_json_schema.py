"""The schema for editors is the one that the models say, lets pass what is a ruleset, and underlines what is not."""

from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest

from processors.ruleset.json_schema import FILE, render, ruleset_json_schema
from processors.ruleset.yaml_text import read_yaml
from tests.support.flow_yaml import block
from tests.support.random_rulesets import ZONES, RulesetMaker
from tests.support.ruleset_documents import BASE, document
from tests.unit.processors.ruleset.schema_reading import complaints, scalar

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
    assert FILE.read_text(encoding="utf-8") == render(), "run: python -m processors.ruleset.json_schema"


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
