"""Facts, pages, postings and the books' other records as Avro bytes and back: the only file that knows fastavro.

Bodies are schemaless Avro binary: the schema stands once in the header of the file (or registry) that holds them. A
body written under an older schema is read by giving that schema as `writer_schema`. Inside, instants are plain int
milliseconds; the logical types of the contracts are for other readers.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import IO, Any, Final

import fastavro
import fastavro.read
import msgspec
from fastavro.read import SchemaResolutionError
from fastavro.schema import SchemaParseException

from schemas import facts, pages, posting
from schemas.avro_containers import Container, ContainerDamaged, open_container
from schemas.avro_functions import Decoder, Encoder, compile_record
from schemas.avro_schemas import SCHEMAS, load_schema, schema_json
from schemas.facts import JournalFact
from schemas.foreign_schemas import LOGICAL_READERS, record_names, with_plain_types
from schemas.pages import JournalPage, Reject, RoundCommitted
from schemas.posting import EditionOpened, Posting
from schemas.varints import long_bytes

__all__ = [
    "BodyDamaged",
    "ContainerDamaged",
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
    "read_container",
    "schema_json",
]

MAX_WRITER_SCHEMAS: Final = 64

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


def encode_page(page: JournalPage) -> bytes:
    """The Avro body of a journal page."""
    return _codec("JournalPage")[0](page)


def decode_page(body: bytes, writer_schema: str | None = None) -> JournalPage:
    """A journal page from its Avro body; raises BodyDamaged."""
    value: JournalPage = _decode("JournalPage", body, writer_schema)
    return value


def encode_fact(fact: JournalFact) -> bytes:
    """The Avro body of one fact."""
    return _codec(type(fact).__name__)[0](fact)


def decode_fact(type_name: str, body: bytes, writer_schema: str | None = None) -> JournalFact:
    """A fact of a type (such as "PurchaseRecorded") from its Avro body; raises BodyDamaged.

    The bounds of the door are not checked here.
    """
    fact: JournalFact = _decode(type_name, body, writer_schema)
    return fact


def encode_posting(posting: Posting) -> bytes:
    """The Avro body of a posting."""
    return _codec("Posting")[0](posting)


def decode_posting(body: bytes, writer_schema: str | None = None) -> Posting:
    """A posting from its Avro body; raises BodyDamaged."""
    value: Posting = _decode("Posting", body, writer_schema)
    return value


def decode_postings(bodies: bytes, count: int, writer_schema: str | None = None) -> list[Posting]:
    """The `count` postings whose bodies stand one after the other, as in a container's block; raises BodyDamaged."""
    try:
        if writer_schema is not None and writer_schema != schema_json("Posting"):
            bodies = _rewritten_postings(bodies, count, writer_schema)
        # An array in Avro is its count, its items and a zero, so one compiled reader takes the whole block.
        postings = list(_posting_block()(long_bytes(count) + bodies + b"\0").postings)
    except _DAMAGE as error:
        raise BodyDamaged(f"not {count} Postings: {_told(error)}") from error
    if len(postings) != count:
        raise BodyDamaged(f"not {count} Postings: there are {len(postings)}")
    return postings


def encode_edition(edition: EditionOpened) -> bytes:
    """The Avro body of an edition's opening."""
    return _codec("EditionOpened")[0](edition)


def decode_edition(body: bytes, writer_schema: str | None = None) -> EditionOpened:
    """An edition's opening from its Avro body; raises BodyDamaged."""
    value: EditionOpened = _decode("EditionOpened", body, writer_schema)
    return value


def encode_round(committed: RoundCommitted) -> bytes:
    """The Avro body of a commit."""
    return _codec("RoundCommitted")[0](committed)


def decode_round(body: bytes, writer_schema: str | None = None) -> RoundCommitted:
    """A commit from its Avro body; raises BodyDamaged."""
    value: RoundCommitted = _decode("RoundCommitted", body, writer_schema)
    return value


def encode_reject(reject: Reject) -> bytes:
    """The Avro body of a reject."""
    return _codec("Reject")[0](reject)


def decode_reject(body: bytes, writer_schema: str | None = None) -> Reject:
    """A reject from its Avro body; raises BodyDamaged."""
    value: Reject = _decode("Reject", body, writer_schema)
    return value


def read_container(file: IO[bytes]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The records of a publisher's Avro object container file: (record type without its namespace, fields).

    Fields are plain values: instants are int milliseconds whatever unit the file has them in, local timestamps (which
    name no instant) are text without a zone, other logical types are left as they are stored. Raises ContainerDamaged
    with the number (from 1) of the first record that cannot be read, 0 for the file's header.
    """
    container = open_container(file)
    read, name = _container_reader(container)
    for block in container.blocks():
        body = io.BytesIO(block.body)
        for number in range(block.first_record, block.first_record + block.records):
            try:
                value = read(body)
            except _DAMAGE as error:
                raise ContainerDamaged(number, f"the record does not fit the file's schema: {_told(error)}") from error
            if isinstance(value, tuple):
                yield value[0].rpartition(".")[2], value[1]
            elif isinstance(value, dict):
                yield name, value
            else:
                raise ContainerDamaged(number, f"a record is expected, not {type(value).__name__}")
        if body.tell() != len(block.body):
            last = block.first_record + block.records - 1
            raise ContainerDamaged(last, f"{len(block.body) - body.tell()} bytes follow the last record of its block")


def _container_reader(container: Container) -> tuple[Callable[[IO[bytes]], Any], str]:
    """How to read one record of a container, and the record's name where the schema has only one at the top."""
    try:
        schema = with_plain_types(container.schema)
        names = record_names(schema)
        parsed = fastavro.parse_schema(schema)
    except _DAMAGE as error:
        raise ContainerDamaged(0, f"the schema in the file's header cannot be used: {_told(error)}") from error

    def read(body: IO[bytes]) -> Any:
        return fastavro.schemaless_reader(body, parsed, None, return_record_name=True, return_record_name_override=True)

    return read, names[0] if names else ""


def _decode(name: str, body: bytes, writer_schema: str | None) -> Any:
    try:
        if writer_schema is not None and writer_schema != schema_json(name):
            body = _rewritten(name, body, writer_schema)
        return _codec(name)[1](body)
    except _DAMAGE as error:
        raise BodyDamaged(f"not a {name}: {_told(error)}") from error


def _rewritten(name: str, body: bytes, writer_schema: str) -> bytes:
    """The same record under our own schema: what ours has more is its default, what it has not is left out."""
    stream = io.BytesIO(body)
    value = fastavro.schemaless_reader(
        stream, _foreign(writer_schema), _own(name), return_record_name=True, return_record_name_override=True
    )
    if stream.tell() != len(body):
        raise ValueError(f"it ends after {stream.tell()} bytes, there are {len(body)}")
    rewritten = io.BytesIO()
    fastavro.schemaless_writer(rewritten, _own(name), value)
    return rewritten.getvalue()


def _rewritten_postings(bodies: bytes, count: int, writer_schema: str) -> bytes:
    stream, rewritten = io.BytesIO(bodies), io.BytesIO()
    for _ in range(count):
        value = fastavro.schemaless_reader(
            stream, _foreign(writer_schema), _own("Posting"), return_record_name=True, return_record_name_override=True
        )
        fastavro.schemaless_writer(rewritten, _own("Posting"), value)
    if stream.tell() != len(bodies):
        raise ValueError(f"they end after {stream.tell()} bytes, there are {len(bodies)}")
    return rewritten.getvalue()


class _PostingBlock(msgspec.Struct):
    """The postings of one block."""

    postings: tuple[Posting, ...]


@cache
def _posting_block() -> Decoder:
    fields = [{"name": "postings", "type": {"type": "array", "items": load_schema("Posting")}}]
    return compile_record({"type": "record", "name": "PostingBlock", "fields": fields}, _structs())[1]


def _told(error: BaseException) -> str:
    return str(error) or type(error).__name__


@cache
def _codec(name: str) -> tuple[Encoder, Decoder]:
    if name not in SCHEMAS:
        raise KeyError(f"no Avro schema is called {name}")
    return compile_record(load_schema(name), _structs())


def _structs() -> dict[str, Any]:
    return {kind: value for module in (facts, pages, posting) for kind, value in vars(module).items()} | {
        "PostingBlock": _PostingBlock
    }


@cache
def _own(name: str) -> Any:
    return fastavro.parse_schema(with_plain_types(load_schema(name)))


@lru_cache(maxsize=MAX_WRITER_SCHEMAS)
def _foreign(schema: str) -> Any:
    return fastavro.parse_schema(with_plain_types(json.loads(schema)))
