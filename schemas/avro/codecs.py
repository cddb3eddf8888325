"""Encodes and decodes facts, pages, postings and the books' other records as Avro; the only file that knows fastavro.

Bodies are schemaless Avro binary: the schema stands once in the header of the file (or registry) that holds them. A
body written under an older schema is read by giving that schema as `writer_schema`. Inside, instants are plain int
milliseconds; the logical types of the contracts are for other readers.
"""

import io
import json
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import IO, Any, Final, TypeVar

import fastavro
import fastavro.read
import fastavro.schema
import msgspec
from fastavro.read import SchemaResolutionError
from fastavro.schema import SchemaParseException

from schemas import facts, pages, posting
from schemas.avro.codec_source import Decoder, Encoder, compile_record
from schemas.avro.containers import Container, ContainerDamaged, open_container
from schemas.avro.contracts import SCHEMAS, load_schema, schema_json
from schemas.avro.publisher_schemas import LOGICAL_READERS, record_names, with_plain_types
from schemas.avro.repeated_attributes import AttributePair, from_records, from_structs, with_pairs
from schemas.avro.varints import long_bytes
from schemas.facts import PUBLISHED_TYPES, JournalFact, PublishedFact
from schemas.pages import JournalPage, Reject, RoundCommitted
from schemas.posting import EditionOpened, Posting, PostingBatch

MAX_WRITER_SCHEMAS: Final = 64

Record = JournalFact | JournalPage | Posting | PostingBatch | EditionOpened | RoundCommitted | Reject
Written = TypeVar("Written", bound=msgspec.Struct)

_PUBLISHED: Final = frozenset(kind.__name__ for kind in PUBLISHED_TYPES)

# What fastavro and the compiled readers are known to raise on bytes, or on a schema, that are not what they should be;
# fastavro has no common base class for it.
_DAMAGE: Final = (
    SchemaParseException,
    SchemaResolutionError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    AttributeError,
    MemoryError,
    RecursionError,
)
# Under names of our own, so that nobody else's reading of Avro in this process changes.
fastavro.read.LOGICAL_READERS.update(LOGICAL_READERS)


class BodyDamaged(ValueError):
    """The bytes of a record do not fit its schema."""


class SchemaUnusable(ValueError):
    """A publisher's schema is no Avro schema that records can be read by; the message says why."""


def encode_record(record: Record) -> bytes:
    """The Avro body of a record under our present schema of its type."""
    return _codec(type(record))[0](record)


def decode_record(kind: type[Written], body: bytes, writer_schema: str | None = None) -> Written:
    """A record of a type from its Avro body; raises BodyDamaged."""
    try:
        if writer_schema is not None and writer_schema != schema_json(kind.__name__):
            body = _rewritten(kind.__name__, body, 1, writer_schema)
        record: Written = _codec(kind)[1](body)
    except _DAMAGE as error:
        raise BodyDamaged(f"not a {kind.__name__}: {_reason(error)}") from error
    return record


def decode_postings(bodies: bytes, count: int, writer_schema: str | None = None) -> list[Posting]:
    """The `count` postings whose bodies stand one after the other, as in a container's block; raises BodyDamaged."""
    return _decode_block("Posting", bodies, count, writer_schema)


def decode_pages(bodies: bytes, count: int) -> list[JournalPage]:
    """The `count` journal pages whose bodies stand one after the other; raises BodyDamaged."""
    return _decode_block("JournalPage", bodies, count, None)


def _decode_block(name: str, bodies: bytes, count: int, writer_schema: str | None) -> list[Any]:
    try:
        if writer_schema is not None and writer_schema != schema_json(name):
            bodies = _rewritten(name, bodies, count, writer_schema)
        # An array in Avro is its count, its items and a zero, so one compiled reader takes the whole block.
        records = list(_block_decoder(name)(long_bytes(count) + bodies + b"\0").records)
    except _DAMAGE as error:
        raise BodyDamaged(f"not {count} {name}s: {_reason(error)}") from error
    if len(records) != count:
        raise BodyDamaged(f"not {count} {name}s: there are {len(records)}")
    return records


def read_container(file: IO[bytes]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The records of a publisher's Avro object container file: (record type without its namespace, fields).

    Fields are plain values: instants are int milliseconds whatever unit the file has them in, local timestamps (which
    name no instant) are text without a zone, other logical types are left as they are stored. Raises ContainerDamaged
    with the number (from 1) of the first record that cannot be read, 0 for the file's header.
    """
    container = open_container(file)
    read, name = _container_reader(container)
    for block in container.blocks():
        body = io.BytesIO(block.data)
        for number in range(block.first_record, block.first_record + block.records):
            try:
                value = read(body)
            except _DAMAGE as error:
                what = f"the record does not fit the file's schema: {_reason(error)}"
                raise ContainerDamaged(number, what, block.offset) from error
            record = _named_record(value, name)
            if record is None:
                what = f"a record is expected, not {type(value).__name__}"
                raise ContainerDamaged(number, what, block.offset)
            yield record
        if body.tell() != len(block.data):
            last = block.first_record + block.records - 1
            what = f"{len(block.data) - body.tell()} bytes follow the last record of its block"
            raise ContainerDamaged(last, what, block.offset)


def _container_reader(container: Container) -> tuple[Callable[[IO[bytes]], Any], str]:
    """How to read one record of a container, and the record's name where the schema has only one at the top."""
    try:
        return _plain_reader(with_plain_types(container.schema))
    except _DAMAGE as error:
        raise ContainerDamaged(0, f"the schema in the file's header cannot be used: {_reason(error)}") from error


def _plain_reader(schema: Any) -> tuple[Callable[[IO[bytes]], Any], str]:
    """How to read one record by a schema of plain types, and the first record's name in it; raises _DAMAGE."""
    names = record_names(schema)
    parsed = fastavro.parse_schema(schema)

    def read(body: IO[bytes]) -> Any:
        return fastavro.schemaless_reader(body, parsed, None, return_record_name=True, return_record_name_override=True)

    return read, names[0] if names else ""


def _named_record(value: Any, name: str) -> tuple[str, dict[str, Any]] | None:
    """The record type, without its namespace, and the fields of what fastavro read; None if that is no record."""
    if isinstance(value, tuple):
        return value[0].rpartition(".")[2], value[1]
    return (name, value) if isinstance(value, dict) else None


def fingerprint(schema: Any) -> bytes:
    """The CRC-64-AVRO fingerprint of a schema that is complete in itself, as it stands in a single-object message."""
    return bytes.fromhex(fastavro.schema.fingerprint(_canonical(schema), "CRC-64-AVRO"))


def _canonical(schema: Any) -> str:
    return str(fastavro.schema.to_parsing_canonical_form(schema))


def own_type(writer_schema: str) -> str | None:
    """The published fact of which this is the present schema, apart from docs, defaults and spelling; None if of none.

    Raises SchemaUnusable.
    """
    schema = _publishers(writer_schema)
    name = str(schema.get("name")).rpartition(".")[2] if isinstance(schema, dict) else ""
    # Logical types that change what a number means are no part of the canonical form.
    if name not in _PUBLISHED or '"logicalType"' in json.dumps(schema):
        return None
    try:
        return name if _canonical(schema) == _canonical(load_schema(name)) else None
    except _DAMAGE as error:
        raise SchemaUnusable(_reason(error)) from error


def decode_published(name: str, body: bytes) -> PublishedFact:
    """A fact that a publisher wrote under our present schema; raises BodyDamaged, KeyRepeated.

    The bounds of the door are not checked here.
    """
    try:
        fact: PublishedFact = _published_codec(name)(body)
    except _DAMAGE as error:
        raise BodyDamaged(f"not a {name}: {_reason(error)}") from error
    pairs: Any = fact.attributes
    msgspec.structs.force_setattr(fact, "attributes", from_structs(pairs) if pairs else {})
    return fact


def published_reader(writer_schema: str) -> Callable[[bytes], tuple[str, dict[str, Any]]]:
    """How to read a message that a publisher wrote under a schema of its own; raises SchemaUnusable.

    The function gives what read_container gives of a record, and raises BodyDamaged, KeyRepeated.
    """
    schema = _publishers(writer_schema)
    try:
        schema, paired = with_pairs(schema)
        read, name = _plain_reader(schema)
    except _DAMAGE as error:
        raise SchemaUnusable(_reason(error)) from error

    def read_whole(body: bytes) -> tuple[str, dict[str, Any]]:
        stream = io.BytesIO(body)
        try:
            value = read(stream)
        except _DAMAGE as error:
            raise BodyDamaged(_reason(error)) from error
        if stream.tell() != len(body):
            raise BodyDamaged(f"the record ends after {stream.tell()} bytes, there are {len(body)}")
        record = _named_record(value, name)
        if record is None:
            raise BodyDamaged(f"a record is expected, not {type(value).__name__}")
        kind, fields = record
        if kind in paired and isinstance(fields.get("attributes"), list):
            fields["attributes"] = from_records(fields["attributes"])
        return kind, fields

    return read_whole


def _publishers(writer_schema: str) -> Any:
    try:
        return with_plain_types(json.loads(writer_schema))
    except _DAMAGE as error:
        raise SchemaUnusable(_reason(error)) from error


def _rewritten(name: str, bodies: bytes, count: int, writer_schema: str) -> bytes:
    """The same records under our own schema: fields that only ours has get their default, others are dropped."""
    stream, rewritten = io.BytesIO(bodies), io.BytesIO()
    for _ in range(count):
        value = fastavro.schemaless_reader(
            stream, _foreign(writer_schema), _own(name), return_record_name=True, return_record_name_override=True
        )
        fastavro.schemaless_writer(rewritten, _own(name), value)
    if stream.tell() != len(bodies):
        what = "they end" if name == "Posting" else "it ends"
        raise ValueError(f"{what} after {stream.tell()} bytes, there are {len(bodies)}")
    return rewritten.getvalue()


class _Block(msgspec.Struct):
    """The records of one block."""

    records: tuple[Any, ...]


@cache
def _block_decoder(name: str) -> Decoder:
    fields = [{"name": "records", "type": {"type": "array", "items": load_schema(name)}}]
    return compile_record({"type": "record", "name": "Block", "fields": fields}, _structs())[1]


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__


@cache
def _codec(kind: type) -> tuple[Encoder, Decoder]:
    if kind.__name__ not in SCHEMAS:
        raise KeyError(f"no Avro schema is called {kind.__name__}")
    return compile_record(load_schema(kind.__name__), _structs())


@cache
def _published_codec(name: str) -> Decoder:
    schema, _ = with_pairs(load_schema(name))
    return compile_record(schema, _structs() | {f"{name}Attribute": AttributePair})[1]


def _structs() -> dict[str, Any]:
    return {kind: value for module in (facts, pages, posting) for kind, value in vars(module).items()} | {
        "Block": _Block
    }


@cache
def _own(name: str) -> Any:
    return fastavro.parse_schema(with_plain_types(load_schema(name)))


@lru_cache(maxsize=MAX_WRITER_SCHEMAS)
def _foreign(schema: str) -> Any:
    return fastavro.parse_schema(with_plain_types(json.loads(schema)))
