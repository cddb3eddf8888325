"""Facts, pages, postings and the books' other records as Avro bytes and back: the only file that knows fastavro.

Bodies are schemaless Avro binary: the schema stands once in the header of the file (or registry) that holds them. A
body written under an older schema is read by giving that schema as `writer_schema`. Inside, instants are plain int
milliseconds; the logical types of the contracts are for other readers.
"""

from __future__ import annotations

import io
import json
from functools import cache, lru_cache
from typing import Any, Final, TypeVar

import fastavro
import msgspec

from schemas import facts, pages
from schemas.avro_schemas import FACT_SCHEMAS, NAMESPACE, load_schema, schema_json
from schemas.facts import JournalFact, PurchaseLine
from schemas.pages import JournalLine, JournalPage, Reject, RoundCommitted
from schemas.posting import EditionOpened, Posting

__all__ = [
    "BodyDamaged",
    "decode_edition",
    "decode_fact",
    "decode_page",
    "decode_posting",
    "decode_postings",
    "decode_reject",
    "decode_round",
    "encode_edition",
    "encode_fact",
    "encode_page",
    "encode_posting",
    "encode_reject",
    "encode_round",
    "schema_json",
]

MAX_WRITER_SCHEMAS: Final = 64

_FACT_TYPES: Final[dict[str, type[JournalFact]]] = {name: getattr(facts, name) for name in FACT_SCHEMAS}
# A value of a union of several records comes as (name, fields), so that we know which it is.
_NAME_RECORDS: Final[dict[str, bool]] = {"return_record_name": True, "return_record_name_override": True}
_T = TypeVar("_T")
# What fastavro is known to raise on bytes that are not what the schema says; it has no common base class for it.
_DAMAGE: Final = (EOFError, ValueError, LookupError, TypeError, ArithmeticError, MemoryError, msgspec.MsgspecError)


class BodyDamaged(ValueError):  # noqa: N818 - named after what happened, as facts are
    """The bytes of a record do not fit its schema."""


def encode_page(page: JournalPage) -> bytes:
    """The Avro body of a journal page."""
    lines = [
        {
            "fact": (f"{NAMESPACE}.{type(line.fact).__name__}", _plain(line.fact)),
            "received_at": line.received_at,
            "member_id": line.member_id,
            "input": line.input,
            "record": line.record,
        }
        for line in page.lines
    ]
    return _write("JournalPage", {"page": page.page, "lines": lines, "inputs": page.inputs})


def decode_page(body: bytes, writer_schema: str | None = None) -> JournalPage:
    """A journal page from its Avro body; raises BodyDamaged."""
    value = _read("JournalPage", body, writer_schema)
    try:
        lines = tuple([JournalLine(**(line | {"fact": _fact(*line["fact"])})) for line in value["lines"]])
        return JournalPage(value["page"], lines, tuple(value["inputs"]))
    except _DAMAGE as error:
        raise BodyDamaged(f"not a JournalPage: {error}") from error


def encode_fact(fact: JournalFact) -> bytes:
    """The Avro body of one fact."""
    return _write(type(fact).__name__, _plain(fact))


def decode_fact(type_name: str, body: bytes, writer_schema: str | None = None) -> JournalFact:
    """A fact of a type (such as "PurchaseRecorded") from its Avro body; raises BodyDamaged.

    The bounds of the door are not checked here.
    """
    try:
        return _fact(type_name, _read(type_name, body, writer_schema))
    except _DAMAGE as error:
        raise BodyDamaged(f"not a {type_name}: {error}") from error


def encode_posting(posting: Posting) -> bytes:
    """The Avro body of a posting."""
    return _write("Posting", _plain(posting))


def decode_posting(body: bytes, writer_schema: str | None = None) -> Posting:
    """A posting from its Avro body; raises BodyDamaged."""
    return _posting(_read("Posting", body, writer_schema))


def decode_postings(bodies: bytes, count: int, writer_schema: str | None = None) -> list[Posting]:
    """The `count` postings whose bodies stand one after the other, as in a container's block; raises BodyDamaged."""
    stream = io.BytesIO(bodies)
    postings = [_posting(_read_next("Posting", stream, writer_schema)) for _ in range(count)]
    _check_end("Posting", stream, len(bodies))
    return postings


def encode_edition(edition: EditionOpened) -> bytes:
    """The Avro body of an edition's opening."""
    return _write("EditionOpened", _plain(edition))


def decode_edition(body: bytes, writer_schema: str | None = None) -> EditionOpened:
    """An edition's opening from its Avro body; raises BodyDamaged."""
    return _struct(_read("EditionOpened", body, writer_schema), EditionOpened)


def encode_round(committed: RoundCommitted) -> bytes:
    """The Avro body of a commit."""
    return _write("RoundCommitted", _plain(committed))


def decode_round(body: bytes, writer_schema: str | None = None) -> RoundCommitted:
    """A commit from its Avro body; raises BodyDamaged."""
    return _struct(_read("RoundCommitted", body, writer_schema), pages.RoundCommitted)


def encode_reject(reject: Reject) -> bytes:
    """The Avro body of a reject."""
    return _write("Reject", _plain(reject))


def decode_reject(body: bytes, writer_schema: str | None = None) -> Reject:
    """A reject from its Avro body; raises BodyDamaged."""
    return _struct(_read("Reject", body, writer_schema), Reject)


def _posting(value: dict[str, Any]) -> Posting:
    for owed in value["owed"]:
        owed["type"] = "RefereePurchased"
    return _struct(value, Posting)


def _plain(value: msgspec.Struct) -> Any:
    return msgspec.to_builtins(value, builtin_types=(bytes,))


def _struct(value: dict[str, Any], kind: type[_T]) -> _T:
    try:
        return msgspec.convert(value, kind)
    except _DAMAGE as error:
        raise BodyDamaged(f"not a {kind.__name__}: {error}") from error


def _fact(name: str, value: dict[str, Any]) -> JournalFact:
    if lines := value.get("lines"):
        value["lines"] = tuple([PurchaseLine(**line) for line in lines])
    elif lines == []:
        value["lines"] = ()
    return _FACT_TYPES[name.rpartition(".")[2]](**value)


def _write(name: str, value: Any) -> bytes:
    body = io.BytesIO()
    fastavro.schemaless_writer(body, _own(name), value)
    return body.getvalue()


def _read(name: str, body: bytes, writer_schema: str | None) -> dict[str, Any]:
    stream = io.BytesIO(body)
    value = _read_next(name, stream, writer_schema)
    _check_end(name, stream, len(body))
    return value


def _read_next(name: str, stream: io.BytesIO, writer_schema: str | None) -> dict[str, Any]:
    try:
        if writer_schema is None or writer_schema == schema_json(name):
            value = fastavro.schemaless_reader(stream, _own(name), None, **_NAME_RECORDS)
        else:
            value = fastavro.schemaless_reader(stream, _foreign(writer_schema), _own(name), **_NAME_RECORDS)
    except _DAMAGE as error:
        raise BodyDamaged(f"not a {name}: {error}") from error
    if not isinstance(value, dict):
        raise BodyDamaged(f"not a {name}: no record")
    return value


def _check_end(name: str, stream: io.BytesIO, size: int) -> None:
    if stream.tell() != size:
        raise BodyDamaged(f"not a {name}: {size - stream.tell()} bytes too many")


@cache
def _own(name: str) -> Any:
    return fastavro.parse_schema(_without_logical_types(load_schema(name)))


@lru_cache(maxsize=MAX_WRITER_SCHEMAS)
def _foreign(schema: str) -> Any:
    return fastavro.parse_schema(_without_logical_types(json.loads(schema)))


def _without_logical_types(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_logical_types(item) for item in node]
    if isinstance(node, dict):
        return {
            key: value if key in {"default", "doc"} else _without_logical_types(value)
            for key, value in node.items()
            if key != "logicalType"
        }
    return node
