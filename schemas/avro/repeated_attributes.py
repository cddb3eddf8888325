"""Finds an attribute that is given twice: Avro's bytes can do so, and a reader of maps takes the last one silently.

An array of key-value records has the same bytes as a map, so a schema with such an array reads every pair.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

MAX_KEY_SHOWN: Final = 60
_KEY: Final = "attribute_key"
_VALUE: Final = "attribute_value"


class AttributePair(msgspec.Struct, gc=False):
    """One attribute as it stands in a body."""

    attribute_key: str
    attribute_value: str


class KeyRepeated(ValueError):
    """A record gives the attribute `key` twice."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the attribute {key[:MAX_KEY_SHOWN]!r} is given twice")
        self.key = key


def with_pairs(schema: Any) -> tuple[Any, frozenset[str]]:
    """A schema under which the `attributes` of the records at its top are lists of pairs; the names of these records.

    The names are without namespaces, and those of the pairs are `<record>Attribute`.
    """
    nodes = schema if isinstance(schema, list) else [schema]
    paired = [_paired_record(node) for node in nodes]
    changed = frozenset(
        str(node["name"]).rpartition(".")[2] for node, pair in zip(nodes, paired, strict=True) if node is not pair
    )
    return paired if isinstance(schema, list) else paired[0], changed


def from_structs(pairs: Iterable[AttributePair]) -> dict[str, str]:
    """The attributes of a body that a compiled decoder read; raises KeyRepeated."""
    return _without_repeats([(pair.attribute_key, pair.attribute_value) for pair in pairs])


def from_records(pairs: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The attributes of a body that a general reader read; raises KeyRepeated."""
    return _without_repeats([(pair[_KEY], pair[_VALUE]) for pair in pairs])


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for key, value in pairs:
        if key in attributes:
            raise KeyRepeated(key)
        attributes[key] = value
    return attributes


def _paired_record(node: Any) -> Any:
    """A record in which the map of attributes is an array; the same object where there is none."""
    if not isinstance(node, dict) or node.get("type") != "record":
        return node
    fields = [
        field | {"type": _paired(field["type"], str(node["name"]))} if field.get("name") == "attributes" else field
        for field in node["fields"]
    ]
    # A default of the writer's schema is never read, and that of a map would not fit the array.
    fields = [
        {key: value for key, value in field.items() if key != "default"} if field != before else field
        for field, before in zip(fields, node["fields"], strict=True)
    ]
    return node if fields == node["fields"] else node | {"fields": fields}


def _paired(kind: Any, record: str) -> Any:
    if isinstance(kind, list):
        # A union with an array of its own keeps its map: two arrays cannot stand in one union.
        has_array = any(isinstance(one, dict) and one.get("type") == "array" for one in kind)
        return kind if has_array else [_paired(one, record) for one in kind]
    if not isinstance(kind, dict) or kind.get("type") != "map":
        return kind
    fields = [{"name": _KEY, "type": "string"}, {"name": _VALUE, "type": kind["values"]}]
    return {"type": "array", "items": {"type": "record", "name": f"{record}Attribute", "fields": fields}}
