"""What publishers get: JSON Schemas that are up to date, and examples that would pass the door."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from schemas.avro.codecs import encode_record
from schemas.currencies import DECIMALS
from schemas.examples import KINDS, example_fact, example_json
from schemas.facts import PUBLISHED_TYPES, CheckedIn, PublishedFact, PurchaseRecorded
from schemas.instants import parse_instant
from scripts import json_schemas
from scripts.field_docs import REASONS, REJECT_REASONS, render_page
from scripts.taken_docs import TITLE
from tests.support.bodies import decode_fact

AT: Final = 1_794_395_471_000
NAMES: Final = [kind.__name__ for kind in PUBLISHED_TYPES]


@pytest.mark.parametrize("name", NAMES)
def test_committed_json_schema_is_up_to_date(name: str) -> None:
    """If this fails: `python -m scripts.json_schemas`."""
    committed = files("schemas") / "json" / f"{name}.schema.json"
    assert committed.read_text(encoding="utf-8") == json_schemas.render(json_schemas.json_schema(name))


def test_no_other_json_schema_is_committed() -> None:
    found = {item.name for item in (files("schemas") / "json").iterdir()}
    assert found == {f"{name}.schema.json" for name in NAMES}


def test_all_are_written_at_once(tmp_path: Any) -> None:
    json_schemas.write_facts(tmp_path / "new")
    assert {path.name for path in (tmp_path / "new").iterdir()} == {f"{name}.schema.json" for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_json_schema_names_no_host_and_describes_every_field(name: str) -> None:
    schema = json_schemas.json_schema(name)
    assert schema["$id"] == f"urn:tallybook:schema:{name}"
    for part in (schema, *schema.get("$defs", {}).values()):
        assert part["description"]
        assert all(field["description"] for field in part["properties"].values())
    assert {"type", "source", "event_id", "occurred_at"} <= set(schema["required"])
    assert {branch["type"] for branch in schema["properties"]["occurred_at"]["anyOf"]} == {"string", "integer"}


def test_an_unknown_fact_has_no_json_schema() -> None:
    with pytest.raises(KeyError):
        json_schemas.json_schema("ClockTicked")


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_is_one_line_that_the_types_accept(kind: str) -> None:
    text = example_json(kind, AT)
    assert "\n" not in text
    event = json.loads(text)
    assert event["occurred_at"] == "2026-11-11T11:11:11Z"
    fact = msgspec.convert(event | {"occurred_at": parse_instant(event["occurred_at"])}, KINDS[kind])
    assert fact == example_fact(kind, AT)
    assert decode_fact(type(fact).__name__, encode_record(fact)) == fact
    assert event.get("currency", "EUR") in DECIMALS


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_fits_its_json_schema(kind: str) -> None:
    event = json.loads(example_json(kind, AT))
    schema = json_schemas.json_schema(KINDS[kind].__name__)
    assert set(schema["required"]) <= set(event) <= set(schema["properties"])
    for name, value in event.items():
        pattern = schema["properties"][name].get("pattern", "")
        assert not isinstance(value, str) or re.search(pattern, value), name


def test_every_published_fact_has_an_example_under_one_word() -> None:
    assert list(KINDS) == ["purchase", "check-in", "share", "review", "referral"]
    assert set(KINDS.values()) == set(PUBLISHED_TYPES)
    assert len({example_json(kind, AT) for kind in KINDS}) == len(KINDS)
    with pytest.raises(KeyError):
        example_json("wish", AT)


@pytest.mark.parametrize("text", ["a\n", "\na", "a\x00", "a\x1f", "\x7f", "", "x" * 201])
def test_an_id_with_a_control_character_or_of_a_wrong_length_is_refused(text: str) -> None:
    event: dict[str, Any] = json.loads(example_json("check-in", AT)) | {"occurred_at": AT}
    for field in ("source", "event_id", "member_id"):
        with pytest.raises(msgspec.ValidationError, match=field):
            msgspec.convert(event | {field: text}, CheckedIn)
    assert msgspec.convert(event | {"member_id": "ä b/c" * 40}, CheckedIn).member_id == "ä b/c" * 40


@pytest.mark.parametrize("amount_minor", [-(10**13) - 1, 10**13 + 1, 2**63, 1.5, "1", None])
def test_an_amount_out_of_bounds_is_refused_with_its_path(amount_minor: object) -> None:
    event = json.loads(example_json("purchase", AT)) | {"occurred_at": AT}
    event["lines"][1]["amount_minor"] = amount_minor
    with pytest.raises(msgspec.ValidationError, match=r"lines\[1\]\.amount_minor"):
        msgspec.convert(event, PurchaseRecorded)


def test_a_fact_is_told_by_its_type() -> None:
    event = json.loads(example_json("share", AT)) | {"occurred_at": AT}
    decoded: PublishedFact = msgspec.convert(event, PublishedFact)
    assert decoded == example_fact("share", AT)


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs" / "publishers.md").read_text(encoding="utf-8")


def test_page_is_as_generated(page: str) -> None:
    assert render_page(page) == page, "run `python -m scripts.field_docs`"


def test_page_has_every_kind_field_and_reason(page: str) -> None:
    kinds = [kind.__name__ for kind in PUBLISHED_TYPES]
    assert sorted(re.findall(r"<!-- generated: ([\w ]+) -->", page)) == sorted([*kinds, "PurchaseLine", REASONS, TITLE])
    for kind in PUBLISHED_TYPES:
        assert f"| `{kind.__name__}` |" in page
        assert all(f"| `{field}` |" in page for field in kind.__struct_fields__)
    assert all(f"| `{reason}` |" in page for reason in REJECT_REASONS)


def test_stale_section_is_made_anew() -> None:
    stale = "before\n<!-- generated: CheckedIn -->\n| old |\n<!-- end -->\nafter\n"
    fresh = render_page(stale)
    assert "old" not in fresh
    assert "| `member_id` | yes | text |" in fresh
    assert fresh.startswith("before\n")
    assert fresh.endswith("<!-- end -->\nafter\n")
    assert render_page(fresh) == fresh
