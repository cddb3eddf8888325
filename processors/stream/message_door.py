"""Admits or refuses the messages of a stream, which say by their first bytes how they are encoded.

The same event is admitted or refused alike in every encoding.

Formats: the Confluent wire format (0x00, schema id), Avro 1.12 "Single-object encoding" (0xC3 0x01, fingerprint), JSON,
and CloudEvents 1.0.2 in JSON or with its attributes in the headers (Kafka protocol binding, binary content mode).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol

from books.kafka.records import plain_text
from processors.intake import cloud_events
from processors.intake.door import Door, Judge, refusal_of, without_nulls
from processors.intake.refusal import Problem, Refusal, quoted
from processors.intake.unknown_fields import UnknownFields
from schemas.avro.codecs import BodyDamaged, SchemaUnusable, decode_published, own_type, published_reader
from schemas.avro.repeated_attributes import KeyRepeated
from schemas.avro.single_object import FRAME_BYTES, MARKER, NotFramed, UnknownFingerprint, unframe
from schemas.bounds import MAX_EVENT_BYTES
from schemas.facts import PUBLISHED_TYPES, PublishedFact

CONFLUENT_MARKER: Final = 0
CONFLUENT_BYTES: Final = 5
MAX_SCHEMA_ID: Final = 2**31 - 1
MAX_WRITERS: Final = 1_024
MAX_WHY: Final = 200

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_PUBLISHED: Final = frozenset(kind.__name__ for kind in PUBLISHED_TYPES)
# The headers that hold what an envelope would, and the names there.
_BINARY_MODE: Final = "ce_specversion"
_ATTRIBUTES: Final = {"ce_id": "id", "ce_source": "source", "ce_type": "type", "ce_time": "time"}
# Where Confluent's newer serializers can put the schema's id, instead of before the body.
_ID_IN_HEADER: Final = "__value_schema_id"


class RegistryUnreachable(Exception):
    """The schema registry gave no answer, which says nothing about the message: try again."""


class NoRegistry(Exception):
    """This deployment has no schema registry that could be asked."""


class WriterSchemas(Protocol):
    """Finds the schemas by which publishers write."""

    def by_id(self, schema_id: int) -> str | None:
        """The schema as JSON, complete in itself; None where the registry does not know the id.

        A schema may be registered a moment later, so that None may be remembered for a bounded time only. Raises
        RegistryUnreachable, NoRegistry.
        """


class _NoRegistry:
    def by_id(self, schema_id: int) -> str | None:
        raise NoRegistry(f"nobody can be asked for schema {schema_id}")


NO_REGISTRY: Final[WriterSchemas] = _NoRegistry()


class _Writer(NamedTuple):
    """How the bodies behind one prefix are read: `own` names the fact whose present schema wrote them, or is empty.

    `unusable` says why none of them can be read.
    """

    own: str = ""
    read: Callable[[bytes], tuple[str, dict[str, Any]]] | None = None
    unusable: str = ""


class MessageDoor:
    """Admits messages one by one; `writer_schemas` is asked once for each schema that it knows.

    `unknown` counts the fields that no fact has. `judge` says what else is wrong with a fact, as for Door.
    """

    def __init__(
        self, writer_schemas: WriterSchemas, unknown: UnknownFields | None = None, judge: Judge | None = None
    ) -> None:
        self._door = Door(unknown, judge)
        self._schemas = writer_schemas
        self._writers: dict[bytes, _Writer] = {}
        self._body: bytes | None = None

    def admit(self, value: bytes | None, headers: Mapping[str, str], default_type: str) -> PublishedFact | Refusal:
        """The fact that a message says, or why it is refused.

        `default_type` is the kind of an event that says none itself: a JSON object without `type`, for an Avro record
        has a name. Raises RegistryUnreachable, and nothing else on data.
        """
        self._body = None
        if not value:
            what = "no value (a tombstone)" if value is None else "an empty value"
            return Refusal("malformed", f"the message has {what}: an event is sent as JSON or Avro, and never deleted")
        if _BINARY_MODE in headers:
            for header in _ATTRIBUTES:
                if plain_text(headers.get(header, "")) is None:
                    return Refusal("malformed", f"the header {header} is no UTF-8 text")
        if len(value) > MAX_EVENT_BYTES:
            return Refusal("too_large", f"the event has {len(value):,} bytes: at most {MAX_EVENT_BYTES:,} are taken")
        if value[0] == CONFLUENT_MARKER:
            return self._admit_framed(value, CONFLUENT_BYTES, headers)
        if value.startswith(MARKER):
            return self._admit_framed(value, FRAME_BYTES, headers)
        return self._admit_json(value, headers, default_type)

    @property
    def body(self) -> bytes | None:
        """The Avro body of the message that was looked at last, if it says the very fact admitted in our own schema."""
        return self._body

    def _admit_json(self, value: bytes, headers: Mapping[str, str], default_type: str) -> PublishedFact | Refusal:
        raw = value.removeprefix(_BYTE_ORDER_MARK)
        admitted = self._door.admit_json(raw, default_type, _envelope(headers))
        if isinstance(admitted, Refusal) and admitted.reason == "malformed" and _ID_IN_HEADER in headers:
            message = (
                f"the schema's id stands in the header {_ID_IN_HEADER}, which is not read: let the serializer put it "
                "before the body (in Confluent's: the prefix schema id serializer)"
            )
            return Refusal("bad_frame", message)
        return admitted

    def _admit_framed(self, value: bytes, prefix_bytes: int, headers: Mapping[str, str]) -> PublishedFact | Refusal:
        prefix = value[:prefix_bytes]
        document: Mapping[str, Any] = {}
        try:
            writer = self._writers.get(prefix) or self._new_writer(prefix)
            body = value[prefix_bytes:]
            if writer.own:
                fact = decode_published(writer.own, body)
                admitted = self._door.admit_fact(fact, len(body))
                self._body = body if admitted is fact else None
                return admitted
            kind, fields = _read(writer, body)
            document = {"type": kind} | without_nulls(fields)
            if envelope := _envelope(headers):
                document = cloud_events.unwrap({**envelope, "data": document})
        except BodyDamaged as damage:
            message = (
                f"the body does not fit {_named(prefix)}, which the message names ({damage}): it was cut off, or "
                "written by another schema; publish the event again"
            )
            return refusal_of(Problem("bad_frame", message), {})
        except KeyRepeated as error:
            message = f"{quoted(error.key)} is given twice in attributes: which one is meant?"
            return refusal_of(Problem("malformed", message, "attributes"), {})
        except Problem as problem:
            return refusal_of(problem, document)
        return self._door.admit(document)

    def _new_writer(self, prefix: bytes) -> _Writer:
        """How to read what begins so, which is kept; raises Problem where that is not known, which is not kept."""
        if prefix[0] == CONFLUENT_MARKER:
            writer = _writer_of(self._registered(prefix), prefix)
        else:
            writer = _writer_by_fingerprint(prefix)
        if len(self._writers) >= MAX_WRITERS:
            self._writers.clear()
        self._writers[prefix] = writer
        return writer

    def _registered(self, prefix: bytes) -> str:
        """The schema that the registry knows by the id in a Confluent frame; raises Problem."""
        if len(prefix) < CONFLUENT_BYTES:
            raise Problem("bad_frame", "the message is cut off within its frame (0x00 and a schema id of four bytes)")
        schema_id = int.from_bytes(prefix[1:], "big")
        try:
            schema = self._schemas.by_id(schema_id) if schema_id <= MAX_SCHEMA_ID else None
        except NoRegistry as error:
            message = (
                f"the message names {_named(prefix)} of a schema registry, and this deployment has none: set "
                "TALLYBOOK_REGISTRY (or `registry` in stream.toml) to its address and send the reject again, or "
                "publish JSON"
            )
            raise Problem("bad_frame", message) from error
        if schema is None:
            message = (
                f"the schema registry does not know {_named(prefix)}: let publisher and Tallybook use the same "
                "registry, register the schema there, and send the reject again"
            )
            raise Problem("bad_frame", message)
        return schema


def _writer_of(schema: str, prefix: bytes) -> _Writer:
    """How to read bodies that a schema wrote, or why they cannot be read."""
    try:
        own = own_type(schema)
        return _Writer(own) if own else _Writer(read=published_reader(schema))
    except SchemaUnusable as error:
        why = str(error)[:MAX_WHY]
    return _Writer(
        unusable=f"{_named(prefix)}, which the message names, is no Avro schema that messages can be read by ({why}): "
        "publish by an Avro schema that is complete in itself, or as JSON"
    )


def _writer_by_fingerprint(prefix: bytes) -> _Writer:
    try:
        name, previous, _ = unframe(prefix)
    except NotFramed as error:
        message = "the message is cut off within its frame (0xC3 0x01 and a fingerprint of eight bytes)"
        raise Problem("bad_frame", message) from error
    except UnknownFingerprint as error:
        message = (
            f"no schema of Tallybook has the fingerprint {error.fingerprint}: write single-object messages by the "
            "schema files that come with Tallybook, or use a schema registry, or publish JSON"
        )
        raise Problem("bad_frame", message) from error
    if name in _PUBLISHED:
        return _Writer(name) if previous is None else _writer_of(previous, prefix)
    # Of what only Tallybook itself may write, the name is enough to be refused.
    return _Writer(read=lambda _body: (name, {}))


def _read(writer: _Writer, body: bytes) -> tuple[str, dict[str, Any]]:
    if writer.read is None:
        raise Problem("bad_frame", writer.unusable)
    return writer.read(body)


def _named(prefix: bytes) -> str:
    if prefix[0] == CONFLUENT_MARKER:
        return f"schema id {int.from_bytes(prefix[1:], 'big')}"
    return f"fingerprint {prefix[len(MARKER) :].hex()}"


def _envelope(headers: Mapping[str, str]) -> dict[str, str] | None:
    """The attributes of a CloudEvent whose data is the message's value; None where it is none."""
    if _BINARY_MODE not in headers:
        return None
    return {name: plain_text(headers[header]) or "" for header, name in _ATTRIBUTES.items() if header in headers}
