"""Makes a publisher's Avro schema safe and plain to read by: no endless reading, and instants as int milliseconds."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

MAX_SCHEMA_DEPTH: Final = 64

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Our own names for the logical types that need a conversion; all others are left out, so that values stay as stored.
_RENAMED: Final = {
    "timestamp-micros": "tallybook-micros",
    "timestamp-nanos": "tallybook-nanos",
    "local-timestamp-millis": "tallybook-local-millis",
    "local-timestamp-micros": "tallybook-local-micros",
    "local-timestamp-nanos": "tallybook-local-nanos",
}


def _instant(units_per_ms: int) -> Callable[..., int]:
    def read(value: int, *_schemas: object) -> int:
        return value // units_per_ms

    return read


def _without_zone(units_per_ms: int) -> Callable[..., str]:
    def read(value: int, *_schemas: object) -> str:
        return (_EPOCH + timedelta(milliseconds=value // units_per_ms)).replace(tzinfo=None).isoformat()

    return read


LOGICAL_READERS: Final[dict[str, Callable[..., Any]]] = {
    "long-tallybook-micros": _instant(1_000),
    "long-tallybook-nanos": _instant(1_000_000),
    "long-tallybook-local-millis": _without_zone(1),
    "long-tallybook-local-micros": _without_zone(1_000),
    "long-tallybook-local-nanos": _without_zone(1_000_000),
}


def with_plain_types(schema: Any) -> Any:
    """A copy of an Avro schema under which every value is read as a plain one.

    Raises ValueError for a schema that could make a few bytes read for ever: one that holds itself, is nested deeper
    than MAX_SCHEMA_DEPTH, or has values that take no bytes where many could stand. No fact needs any of these.
    """
    return _plain(schema, "", (), 0)


def record_names(schema: Any) -> list[str]:
    """The names, without namespaces, of the records that a schema allows at its top."""
    nodes = schema if isinstance(schema, list) else [schema]
    return [
        str(node["name"]).rpartition(".")[2]
        for node in nodes
        if isinstance(node, dict) and node.get("type") == "record"
    ]


def _plain(node: Any, namespace: str, inside: tuple[str, ...], depth: int) -> Any:
    if depth > MAX_SCHEMA_DEPTH:
        raise ValueError(f"types are nested deeper than {MAX_SCHEMA_DEPTH}")
    if isinstance(node, list):
        return [_plain(item, namespace, inside, depth + 1) for item in node]
    if isinstance(node, str):
        if _full_name(node, namespace) in inside:
            raise ValueError(f"the record {node} holds itself")
        return node
    if not isinstance(node, dict) or "type" not in node:
        raise ValueError(f"{str(node)[:80]} is no Avro type")
    kind = node["type"]
    if kind in ("record", "error"):
        return _plain_record(node, namespace, inside, depth)
    return _plain_other(node, kind, namespace, inside, depth)


def _plain_other(node: dict[str, Any], kind: Any, namespace: str, inside: tuple[str, ...], depth: int) -> Any:
    plain: Any
    if kind == "array":
        if node.get("items") in ("null", {"type": "null"}):
            raise ValueError("the items of an array take no bytes")
        plain = {"type": kind, "items": _plain(node.get("items"), namespace, inside, depth + 1)}
    elif kind == "map":
        plain = {"type": kind, "values": _plain(node.get("values"), namespace, inside, depth + 1)}
    elif kind in ("enum", "fixed"):
        if node.get("size") == 0:
            raise ValueError(f"the type {node.get('name')} takes no bytes")
        plain = {key: value for key, value in node.items() if key != "logicalType"}
    elif kind == "long" and node.get("logicalType") in _RENAMED:
        plain = {"type": kind, "logicalType": _RENAMED[node["logicalType"]]}
    else:
        plain = _plain(kind, namespace, inside, depth + 1)
    return plain


def _plain_record(node: dict[str, Any], namespace: str, inside: tuple[str, ...], depth: int) -> dict[str, Any]:
    name = _full_name(str(node.get("name")), str(node.get("namespace", namespace)))
    fields = node.get("fields")
    if not isinstance(fields, list) or not all(isinstance(field, dict) for field in fields):
        raise ValueError(f"the record {name} has no list of fields")
    if all(field.get("type") in ("null", {"type": "null"}) for field in fields):
        raise ValueError(f"the record {name} takes no bytes")
    inner = name.rpartition(".")[0]
    plain = [
        {key: value for key, value in field.items() if key != "doc"}
        | {"type": _plain(field.get("type"), inner, (*inside, name), depth + 1)}
        for field in fields
    ]
    return {"type": "record", "name": name, "fields": plain} | (
        {"aliases": node["aliases"]} if "aliases" in node else {}
    )


def _full_name(name: str, namespace: str) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"
