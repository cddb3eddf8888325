"""Avro by a general library, to hold the compiled codecs and the contracts against."""

import io
from typing import Any

import fastavro
import msgspec

from schemas.avro.publisher_schemas import with_plain_types
from schemas.facts import PUBLISHED_TYPES
from schemas.pages import JournalPage


def plain(value: msgspec.Struct) -> Any:
    """A struct as the library wants it: dicts, and (name, dict) where several records are possible."""
    data = msgspec.to_builtins(value, builtin_types=(bytes,))
    if isinstance(value, JournalPage):
        for line, made in zip(value.lines, data["lines"], strict=True):
            made["fact"] = (f"tallybook.{type(line.fact).__name__}", made["fact"])
    return data


def write(schema: Any, value: Any) -> bytes:
    """One value in Avro binary under a schema."""
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(with_plain_types(schema)), value)
    return body.getvalue()


def read(body: bytes, writer: Any, reader: Any) -> Any:
    """What a reader with another schema sees of a value; raises what the library raises if it cannot."""
    stream = io.BytesIO(body)
    value = fastavro.schemaless_reader(
        stream,
        fastavro.parse_schema(with_plain_types(writer)),
        fastavro.parse_schema(with_plain_types(reader)),
        return_record_name=True,
        return_record_name_override=True,
    )
    if stream.tell() != len(body):
        raise ValueError(f"{len(body) - stream.tell()} bytes are left")
    return value


def container(schema: Any, records: list[Any], codec: str = "null", sync_interval: int = 16_000) -> bytes:
    """An object container file, as a publisher would write it."""
    file = io.BytesIO()
    fastavro.writer(file, schema, records, codec=codec, sync_interval=sync_interval, sync_marker=b"\x07" * 16)
    return file.getvalue()


def union_of_published(load: Any) -> list[Any]:
    """The schema of a file that mixes the five published facts."""
    return [load(kind.__name__) for kind in PUBLISHED_TYPES]
