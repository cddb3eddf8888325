"""Writes the tables of docs/publishers.md: fields and reject reasons from the contracts, and what the readers take."""

import re
from pathlib import Path
from typing import Any, Final

from schemas.facts import PUBLISHED_TYPES
from scripts.json_schemas import json_schema
from scripts.taken_docs import TITLE, taken_table

PAGE: Final = Path(__file__).parent.parent / "docs" / "publishers.md"
REASONS: Final = "reject reasons"
# What each reason of `processors.intake.refusal` says.
REJECT_REASONS: Final[dict[str, str]] = {
    "malformed": "not readable as the format it came in",
    "too_large": "larger than an event may be",
    "unknown_type": "no such kind of fact",
    "missing_field": "a required field is not there",
    "wrong_type": "a field holds another type than it must",
    "out_of_range": "a value is outside its bounds",
    "unknown_currency": "not an ISO 4217 code",
    "invalid_time": "not an instant with a zone",
    "too_early": "from the future",
    "too_old": "before 1970, or beyond the horizon",
    "self_referral": "a member cannot refer itself",
    "negative_order": "the lines of an order add up to less than 0",
    "bad_frame": "not an Avro frame of a known schema",
    "duplicate_row": "rows of one order disagree or are missing, or it is not clear whether they came twice",
    "damaged": "the rest of a damaged file",
    "conflict": "beyond the horizon, and another event with its source and id is in the books",
}

_SECTION: Final = re.compile(r"(<!-- generated: (?P<name>[\w ]+) -->\n)(?P<body>.*?)(<!-- end -->\n)", re.DOTALL)
_WORDS: Final = {"string": "text", "integer": "whole number", "array": "list", "object": "map of text", "null": ""}


def render_page(page: str) -> str:
    """The page with every generated section made anew; raises KeyError for a section with the name of no contract."""
    return _SECTION.sub(lambda found: f"{found[1]}\n{_section(found['name'])}\n{found[4]}", page)


def _section(name: str) -> str:
    if name == REASONS:
        rows = [f"| `{reason}` | {meaning} |" for reason, meaning in REJECT_REASONS.items()]
        return _table("| reason | what it says |", rows)
    if name == TITLE:
        return _table(*taken_table())
    schema = json_schema(PUBLISHED_TYPES[0].__name__)["$defs"][name] if name == "PurchaseLine" else json_schema(name)
    required = set(schema["required"])
    rows = [
        f"| `{field}` | {'yes' if field in required else ''} | {_type(about)} | {about['description']} |"
        for field, about in schema["properties"].items()
        if field != "type"
    ]
    return _table("| field | needed | type | meaning |", rows)


def _table(head: str, rows: list[str]) -> str:
    rule = "|" + "---|" * (head.count("|") - 1)
    return "".join(f"{line}\n" for line in (head, rule, *rows))


def _type(about: dict[str, Any]) -> str:
    kinds = [one["type"] for one in about.get("anyOf", [about]) if "type" in one]
    return " or ".join(dict.fromkeys(_WORDS[kind] for kind in kinds if _WORDS[kind]))


if __name__ == "__main__":
    PAGE.write_text(render_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
