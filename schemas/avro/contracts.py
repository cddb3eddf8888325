"""The Avro contracts as data: each `.avsc` file holds one type, and a type that another file holds is put in place."""

import json
from collections.abc import Collection
from functools import cache
from importlib.resources import files
from typing import Any, Final

from schemas.facts import PUBLISHED_TYPES

NAMESPACE: Final = "tallybook"
PREVIOUS: Final = "previous"

FACT_SCHEMAS: Final = (
    *(kind.__name__ for kind in PUBLISHED_TYPES),
    "RefereePurchased",
    "JournalOpened",
    "ClockTicked",
    "RulesetPublished",
)
BOOK_SCHEMAS: Final = ("JournalPage", "Posting", "PostingBatch", "EditionOpened", "RoundCommitted", "Reject")
SCHEMAS: Final = FACT_SCHEMAS + BOOK_SCHEMAS


def load_schema(name: str, *, version: str = "") -> dict[str, Any]:
    """The schema `tallybook.<name>` in full: every named type is written out where it is first used.

    `version` is "" for the current schemas, or `PREVIOUS` for those of the last release: its folder holds the ones that
    have changed since. Raises FileNotFoundError for an unknown name.
    """
    schema = _written_out(f"{NAMESPACE}.{name}", version, set())
    if not isinstance(schema, dict):
        raise TypeError(f"{name}.avsc must hold one record")
    return schema


@cache
def schema_json(name: str) -> str:
    """The current schema `tallybook.<name>` as JSON, complete in itself: what a container's header holds."""
    return json.dumps(load_schema(name), ensure_ascii=False, separators=(",", ":"))


def without_keys(node: Any, keys: Collection[str]) -> Any:
    """A schema without these keys, such as `doc`, at any depth."""
    if isinstance(node, list):
        return [without_keys(item, keys) for item in node]
    if isinstance(node, dict):
        return {key: without_keys(value, keys) for key, value in node.items() if key not in keys}
    return node


def _written_out(node: Any, version: str, seen: set[str]) -> Any:
    """A copy of a schema node in which names of other files' types are replaced by these types, once each."""
    if isinstance(node, str):
        if not node.startswith(f"{NAMESPACE}.") or node in seen:
            return node
        return _written_out(json.loads(_text(f"{node.removeprefix(f'{NAMESPACE}.')}.avsc", version)), version, seen)
    if isinstance(node, list):
        return [_written_out(item, version, seen) for item in node]
    if isinstance(node, dict):
        if node.get("type") == "record":
            seen.add(f"{node['namespace']}.{node['name']}")
            fields = [field | {"type": _written_out(field["type"], version, seen)} for field in node["fields"]]
            return node | {"fields": fields}
        return {key: _written_out(value, version, seen) for key, value in node.items()}
    return node


def _text(file: str, version: str) -> str:
    current = files("schemas") / "avro"
    changed = current / version / file
    return (changed if version and changed.is_file() else current / file).read_text(encoding="utf-8")
