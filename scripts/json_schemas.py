"""Writes the JSON Schemas of the published facts and of rulesets: `python -m scripts.json_schemas`.

Those of facts, for publishers' own tests, are made from the structs that the door checks against, and described in the
words of the Avro contracts.
"""

import json
from pathlib import Path
from typing import Any, Final

import msgspec

from processors.ruleset.json_schema import ruleset_json_schema
from schemas.avro.contracts import load_schema
from schemas.bounds import UNLIKE_SECONDS
from schemas.currencies import DECIMALS
from schemas.facts import PUBLISHED_TYPES

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = ROOT / "schemas" / "json"
RULESET: Final = ROOT / "rulesets" / "ruleset.schema.json"

_OCCURRED_AT: Final = {
    "description": (
        "When it happened: RFC 3339 text with a zone (Z or an offset), or an integer of UTC milliseconds since 1970."
    ),
    "anyOf": [
        {"type": "string", "format": "date-time", "examples": ["2026-11-11T11:11:11Z", "2026-11-11T12:11:11.5+01:00"]},
        {"type": "integer", "minimum": UNLIKE_SECONDS, "examples": [1_794_395_471_000]},
    ],
}


def json_schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a published fact, such as "PurchaseRecorded"; raises KeyError for another name."""
    kind = {kind.__name__: kind for kind in PUBLISHED_TYPES}[name]
    (_,), components = msgspec.json.schema_components([kind])
    avro = load_schema(name)
    schema: dict[str, Any] = components.pop(name)
    _describe(schema, avro)
    schema["properties"]["type"]["description"] = "The kind of fact."
    schema["properties"]["occurred_at"] = _OCCURRED_AT
    if "currency" in schema["properties"]:
        schema["properties"]["currency"]["enum"] = sorted(DECIMALS)
    for inner, component in components.items():
        _describe(component, _record(avro, inner))
    head = {"$schema": DIALECT, "$id": f"urn:tallybook:schema:{name}"}
    return head | schema | ({"$defs": components} if components else {})


def render(schema: dict[str, Any]) -> str:
    """The text of the file that holds a JSON Schema."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def write_facts(folder: Path) -> None:
    """Write `<name>.schema.json` for every published fact into a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in PUBLISHED_TYPES:
        (folder / f"{kind.__name__}.schema.json").write_text(render(json_schema(kind.__name__)), encoding="utf-8")


def _describe(schema: dict[str, Any], avro: dict[str, Any]) -> None:
    schema["description"] = avro["doc"]
    for field in avro["fields"]:
        schema["properties"][field["name"]]["description"] = field["doc"]


def _record(node: Any, name: str) -> dict[str, Any]:
    """The record of a name somewhere in an Avro schema; raises StopIteration if there is none."""
    return next(found for found in _records(node) if found["name"] == name)


def _records(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [found for item in node for found in _records(item)]
    if not isinstance(node, dict):
        return []
    here = [node] if node.get("type") == "record" else []
    return here + [found for key in ("fields", "type", "items") for found in _records(node.get(key))]


if __name__ == "__main__":
    write_facts(FOLDER)
    RULESET.write_text(render(ruleset_json_schema()), encoding="utf-8")
