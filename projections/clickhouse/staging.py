"""Lays blocks of the books into one Avro file that ClickHouse reads by itself, and says which columns that makes.

The bodies are passed on as they stand in the books: no record is decoded on the way. Formats: Avro 1.12 specification,
"Object Container Files"; ClickHouse's mapping of Avro types to its own is that of its documentation, "Avro".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from projections.store import JOURNAL, LEDGER, REJECTS, Pieces
from schemas.avro.containers import encode_block, encode_header
from schemas.avro.contracts import load_schema
from schemas.avro.varints import long_bytes

_SCHEMAS: Final = {JOURNAL: "JournalPage", LEDGER: "Posting", REJECTS: "Reject"}
# What is not asked for is passed over while it is read: no table shows it.
_UNUSED: Final = {JOURNAL: frozenset[str](), LEDGER: frozenset({"charges", "owed"}), REJECTS: frozenset[str]()}
_PARTITION: Final = "partition"
_SYNC: Final = b"\xfftallybook stage"
_TYPES: Final = {"string": "String", "bytes": "String", "long": "Int64", "boolean": "Bool"}


def avro_file(book: str, pieces: Pieces) -> bytes:
    """An Avro object container of the records of a book.

    A page (one record a block) begins with its partition; the partition of a posting follows from its member.
    """
    return b"".join(_parts(book, pieces))


def _parts(book: str, pieces: Pieces) -> Iterator[bytes]:
    yield _head(book)
    for partition, block in pieces:
        data = long_bytes(partition) + block.data if book == JOURNAL else block.data
        yield encode_block(block.records, data, _SYNC)


@cache
def staged_columns(book: str) -> str:
    """The columns of a table that holds such records: names and ClickHouse types, as CREATE TABLE takes them."""
    return ", ".join(
        f"{field['name']} {clickhouse_type(field['type'])}"
        for field in _schema(book)["fields"]
        if field["name"] not in _UNUSED[book]
    )


@cache
def fact_types() -> dict[str, str]:
    """The ClickHouse type of each kind of fact: by it a fact is known in the Variant that a journal line holds.

    Raises:
        AssertionError: two kinds of fact could not be told from one another.
    """
    (lines,) = (field["type"]["items"] for field in load_schema("JournalPage")["fields"] if field["name"] == "lines")
    (facts,) = (field["type"] for field in lines["fields"] if field["name"] == "fact")
    types = {fact["name"]: clickhouse_type(fact) for fact in facts}
    if len(set(types.values())) != len(types):
        raise AssertionError("two kinds of fact have the same fields: ClickHouse would take one for the other")
    return types


def clickhouse_type(node: Any) -> str:
    """The type that ClickHouse reads an Avro type as, letter by letter as it would infer it.

    Raises:
        KeyError: a type that the books do not use.
    """
    if isinstance(node, str):
        return _TYPES[node]
    if isinstance(node, list):
        some = [clickhouse_type(item) for item in node if item != "null"]
        return f"Nullable({some[0]})" if len(some) == 1 else f"Variant({', '.join(sorted(some))})"
    if node["type"] == "array":
        return f"Array({clickhouse_type(node['items'])})"
    if node["type"] == "map":
        return f"Map(String, {clickhouse_type(node['values'])})"
    if node["type"] == "record":
        fields = [f"{field['name']} {clickhouse_type(field['type'])}" for field in node["fields"]]
        return f"Tuple({', '.join(fields)})"
    return "DateTime64(3)" if node.get("logicalType") == "timestamp-millis" else _TYPES[node["type"]]


@cache
def _schema(book: str) -> Any:
    """What the file says of its records: the schema of the books, a page with its partition before all else."""
    schema = _bare(load_schema(_SCHEMAS[book]))
    if book == JOURNAL:
        schema["fields"].insert(0, {"name": _PARTITION, "type": "long"})
    return schema


@cache
def _head(book: str) -> bytes:
    return encode_header({"avro.schema": json.dumps(_schema(book), separators=(",", ":")).encode()}, _SYNC)


def _bare(node: Any) -> Any:
    """A schema without what ClickHouse would only read over, again for every batch."""
    if isinstance(node, list):
        return [_bare(item) for item in node]
    if isinstance(node, dict):
        return {key: _bare(value) for key, value in node.items() if key not in {"doc", "default"}}
    return node
