"""The ways in which publishers encode one event as a message, each a function from the event to bytes and headers.

What an encoding cannot carry without changing it (a text where the schema has a number) raises CannotCarry.
"""

import json
import math
import re
import struct
from collections.abc import Callable
from typing import Any, Final

import msgspec

from processors.intake.refusal import Refusal
from processors.intake.unknown_fields import UnknownFields
from processors.stream.message_door import MessageDoor
from schemas.avro.codecs import encode_record
from schemas.avro.contracts import load_schema, schema_json
from schemas.avro.single_object import frame
from schemas.facts import PUBLISHED_TYPES, PublishedFact
from schemas.instants import NoInstant, parse_instant
from tests.fakes.registry import FakeSchemas
from tests.reference import avro as avro_reference
from tests.support.fact_samples import AT_MS, EVENTS, PURCHASE

Message = tuple[bytes, dict[str, str]]
Encoding = Callable[[dict[str, Any], FakeSchemas], Message]

MAX_DEPTH: Final = 30
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_KINDS: Final = frozenset(kind.__name__ for kind in PUBLISHED_TYPES)
_UNWRITABLE: Final = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, struct.error)


FULL_PURCHASE: Final[dict[str, Any]] = PURCHASE | {
    "lines": [
        {"sku": "espresso", "amount_minor": 350, "quantity_milli": 250, "category": "coffee", "unit_price_minor": 1400},
        {"sku": "lamp", "amount_minor": 9_900, "brand": "Acme", "discount_minor": 100},
    ],
    "referrer_id": "m-2",
    "store_id": "s-1",
    "attributes": {"till": "7", "weather": "rain"},
}
SAMPLES: Final = (*EVENTS, FULL_PURCHASE)


class CannotCarry(Exception):
    """An encoding has no way to say what an event says."""


def door(schemas: FakeSchemas | None = None, unknown: UnknownFields | None = None) -> MessageDoor:
    return MessageDoor(schemas or FakeSchemas(), unknown)


def told(admitted: PublishedFact | Refusal) -> object:
    """What must not depend on the encoding: all of a fact, in the bytes of the journal, or why it is refused."""
    if isinstance(admitted, Refusal):
        return admitted.reason, admitted.field
    return type(admitted), encode_record(admitted), msgspec.json.encode(admitted)


def as_given(event: dict[str, Any]) -> dict[str, Any]:
    """An event with its instant in milliseconds, as Avro has it."""
    return event | {"occurred_at": AT_MS}


def confluent(schema: Any, fields: Any, schemas: FakeSchemas) -> Message:
    """A record under a schema (text or data) that is registered with it."""
    data = json.loads(schema) if isinstance(schema, str) else schema
    return b"\0" + schemas.register(schema).to_bytes(4, "big") + _written(data, fields), {}


def own(event: dict[str, Any], schemas: FakeSchemas) -> Message:
    kind, fields = _typed(event)
    return confluent(schema_json(kind), fields, schemas)


def respelled(event: dict[str, Any], schemas: FakeSchemas) -> Message:
    """Our schema as Java's registry clients write it."""
    kind, fields = _typed(event)
    schema = schema_json(kind).replace('"string"', '{"type": "string", "avro.java.string": "String"}')
    return confluent(json.dumps(json.loads(schema), indent=1), fields, schemas)


def single_object(event: dict[str, Any], _schemas: FakeSchemas) -> Message:
    kind, fields = _typed(event)
    return frame(kind, _written(load_schema(kind), fields)), {}


def reordered(event: dict[str, Any], schemas: FakeSchemas) -> Message:
    """Another namespace and another order of fields, in lines as well."""
    kind, fields = _typed(event)
    return confluent(_reversed(load_schema(kind)) | {"namespace": "shop.events"}, fields, schemas)


def nullable(event: dict[str, Any], schemas: FakeSchemas) -> Message:
    """Every field may be null, and is where it is not given."""
    kind, fields = _typed(event)
    return confluent(_nullable(load_schema(kind)), fields, schemas)


def micros(event: dict[str, Any], schemas: FakeSchemas) -> Message:
    """Instants in microseconds; for the rest our schema."""
    kind, fields = _typed(event)
    if not isinstance(fields.get("occurred_at"), int):
        raise CannotCarry("no instant")
    schema = json.loads(schema_json(kind).replace("timestamp-millis", "timestamp-micros"))
    body = _written(schema, fields | {"occurred_at": fields["occurred_at"] * 1_000}, expected=fields)
    return b"\0" + schemas.register(schema).to_bytes(4, "big") + body, {}


def union(event: dict[str, Any], schemas: FakeSchemas) -> Message:
    """One schema for all kinds of facts of a topic."""
    kind, fields = _typed(event)
    schema = avro_reference.union_of_published(load_schema)
    return confluent(schema, (f"tallybook.{kind}", fields), schemas)


def self_described(event: dict[str, Any], schemas: FakeSchemas) -> Message:
    """A schema made of the event: whatever types its values have, the schema has."""
    if not isinstance(event.get("type"), (str, int, list)) or "specversion" in event:
        raise CannotCarry("a record always has a name")
    kind = event["type"] if isinstance(event["type"], str) and _NAME.fullmatch(event["type"]) else "Event"
    if not all(_NAME.fullmatch(name) for name in event):
        raise CannotCarry("a name that Avro does not take")
    schema, fields = _described(event, kind, 0)
    return confluent(schema, fields, schemas)


def plain_json(event: dict[str, Any], _schemas: FakeSchemas) -> Message:
    return json.dumps(event).encode(), {}


def cloud_event(event: dict[str, Any], _schemas: FakeSchemas) -> Message:
    if "specversion" in event:
        raise CannotCarry("an envelope in an envelope")
    return json.dumps({"specversion": "1.0", "data": event}).encode(), {}


def cloud_event_in_headers(event: dict[str, Any], _schemas: FakeSchemas) -> Message:
    if "specversion" in event:
        raise CannotCarry("an envelope in an envelope")
    return json.dumps(event).encode(), {"ce_specversion": "1.0", "content-type": "application/json"}


AVRO: Final[dict[str, Encoding]] = {
    "confluent": own,
    "respelled": respelled,
    "single-object": single_object,
    "reordered": reordered,
    "nullable": nullable,
    "micros": micros,
    "union": union,
    "self-described": self_described,
}
ENCODINGS: Final[dict[str, Encoding]] = {
    "json": plain_json,
    "cloud-event": cloud_event,
    "cloud-event-in-headers": cloud_event_in_headers,
} | AVRO


def fields_of_event(event: dict[str, Any]) -> dict[str, Any]:
    """What a record of the event's kind holds: its instant in milliseconds, and no type."""
    return {name: value for name, value in as_given(event).items() if name != "type"}


def _typed(event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The kind of an event and its fields, its instant in milliseconds if it is one."""
    kind = event.get("type")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise CannotCarry("no schema of ours")
    fields = {name: value for name, value in event.items() if name != "type"}
    if isinstance(fields.get("occurred_at"), str):
        try:
            fields["occurred_at"] = parse_instant(fields["occurred_at"])
        except NoInstant as error:
            raise CannotCarry("a text that is no instant") from error
    return kind, fields


def _written(schema: Any, datum: Any, expected: Any = None) -> bytes:
    """The Avro body, if reading it gives what was to be written: the library takes True for 1, and more."""
    try:
        body = avro_reference.write(schema, datum)
        found = avro_reference.read(body, schema, schema)
    except _UNWRITABLE as error:
        raise CannotCarry(str(error)) from error
    if not _covers(found, datum if expected is None else expected):
        raise CannotCarry("it would be changed")
    return body


def _covers(found: Any, given: Any) -> bool:
    """Whether all that was given is found; what was not given may be there as its default."""
    found = found[1] if isinstance(found, tuple) else found
    given = given[1] if isinstance(given, tuple) else given
    if isinstance(given, dict) and isinstance(found, dict):
        return all(name in found and _covers(found[name], value) for name, value in given.items())
    if isinstance(given, list) and isinstance(found, list):
        return len(found) == len(given) and all(_covers(*pair) for pair in zip(found, given, strict=True))
    return type(found) is type(given) and bool(found == given)


def _reversed(node: Any) -> Any:
    if isinstance(node, dict) and node.get("type") == "record":
        fields = [field | {"type": _reversed(field["type"])} for field in reversed(node["fields"])]
        return node | {"fields": fields}
    return node | {"items": _reversed(node["items"])} if isinstance(node, dict) and "items" in node else node


def _nullable(node: Any) -> Any:
    if isinstance(node, dict) and node.get("type") == "record":
        fields = [
            {"name": field["name"], "default": None, "type": _or_null(_nullable(field["type"]))}
            for field in node["fields"]
        ]
        return node | {"fields": fields}
    return node | {"items": _nullable(node["items"])} if isinstance(node, dict) and "items" in node else node


def _or_null(kind: Any) -> Any:
    return kind if isinstance(kind, list) else ["null", kind]


def _described(value: Any, name: str, depth: int) -> tuple[Any, Any]:  # noqa: PLR0911 - one return for each kind
    """The schema of a value, and the value as the library wants it; `name` is that of a record."""
    if depth > MAX_DEPTH:
        raise CannotCarry("too deep")
    match value:
        case None:
            return "null", None
        case bool():
            return "boolean", value
        case int() if -(2**63) <= value < 2**63:
            return "long", value
        case float() if math.isfinite(value):
            return "double", value
        case str():
            return "string", value
        case list():
            return _described_list(value, name, depth)
        case dict():
            return _described_object(value, name, depth)
    raise CannotCarry(f"no type for {value!r}")


def _described_list(value: list[Any], name: str, depth: int) -> tuple[Any, Any]:
    described = [_described(one, f"{name}_{number}", depth + 1) for number, one in enumerate(value)]
    kinds: list[Any] = []
    for kind, _ in described:
        if kind not in kinds:
            kinds.append(kind)
    if kinds == ["null"]:
        raise CannotCarry("items without bytes")
    items = kinds[0] if len(kinds) == 1 else kinds or "string"
    return {"type": "array", "items": items}, [_named(kind, one, kinds) for kind, one in described]


def _named(kind: Any, value: Any, kinds: list[Any]) -> Any:
    is_record_of_a_union = len(kinds) > 1 and isinstance(kind, dict) and kind["type"] == "record"
    return (kind["name"], value) if is_record_of_a_union else value


def _described_object(value: dict[str, Any], name: str, depth: int) -> tuple[Any, Any]:
    described = {one: _described(inner, f"{name}_{one}", depth + 1) for one, inner in value.items()}
    if depth == 0 or (value and not name.endswith("_attributes") and all(_NAME.fullmatch(one) for one in value)):
        if all(kind == "null" for kind, _ in described.values()):
            raise CannotCarry("a record without bytes")
        fields = [{"name": one, "type": kind} for one, (kind, _) in described.items()]
        return {"type": "record", "name": name, "fields": fields}, {one: inner for one, (_, inner) in described.items()}
    kinds: list[Any] = []
    for kind, _ in described.values():
        if kind not in kinds:
            kinds.append(kind)
    values = kinds[0] if len(kinds) == 1 else kinds or "string"
    return {"type": "map", "values": values}, {
        one: _named(kind, inner, kinds) for one, (kind, inner) in described.items()
    }
