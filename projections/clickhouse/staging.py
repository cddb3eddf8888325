"""Stages blocks of the books in ClickHouse as Avro, and says which statements make rows of what is staged.

The bodies are passed on as they stand in the books: no record is decoded on the way. Formats: Avro 1.12 specification,
"Object Container Files"; ClickHouse's mapping of Avro types to its own is that of its documentation, "Avro".
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from projections.sql_files import sql_file
from projections.store import JOURNAL, LEDGER, REJECTS, TABLES, Pieces
from schemas.avro.containers import encode_block, encode_header
from schemas.avro.contracts import load_schema, without_keys
from schemas.avro.varints import long_bytes
from schemas.facts import MEMBER_TYPES

_SCHEMAS: Final = {JOURNAL: "JournalPage", LEDGER: "Posting", REJECTS: "Reject"}
# Fields that no table shows: ClickHouse skips them while it reads.
_UNUSED: Final = {JOURNAL: frozenset[str](), LEDGER: frozenset({"charges", "owed"}), REJECTS: frozenset[str]()}
_PARTITION: Final = "partition"
_SYNC: Final = b"\xfftallybook stage"
_TYPES: Final = {"string": "String", "bytes": "String", "long": "Int64", "boolean": "Bool"}
_KINDS: Final = "SELECT groupUniqArray(toString(variantType(said))) AS found FROM {staged:Identifier}"
_MAYBE_EMPTY: Final = ("members", "lot_states", "check_in_days")
_WITH_LINES: Final = "PurchaseRecorded"
_NEEDS: Final = {"fact_lines": _WITH_LINES, "rulesets": "RulesetPublished", "ticks": "ClockTicked"}
# In the .sql files the name of a kind of fact is replaced by its type in ClickHouse.
_KIND_AS_NAME: Final = re.compile(r"`(\w+)`")
_KIND_AS_TEXT: Final = re.compile(r"\{([A-Z]\w+):String\}")


def avro_file(book: str, pieces: Pieces) -> bytes:
    """An Avro object container file of the records of a book.

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
    """The ClickHouse type of each kind of fact, by which a line's Variant knows it; AssertionError if two are alike."""
    (lines,) = (field["type"]["items"] for field in load_schema("JournalPage")["fields"] if field["name"] == "lines")
    (facts,) = (field["type"] for field in lines["fields"] if field["name"] == "fact")
    types = {fact["name"]: clickhouse_type(fact) for fact in facts}
    if len(set(types.values())) != len(types):
        raise AssertionError("two kinds of fact have the same fields: ClickHouse would take one for the other")
    return types


def clickhouse_type(node: Any) -> str:
    """The type that ClickHouse reads an Avro type as, as it would infer it; KeyError for one not in the books."""
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
    """The schema of the Avro file: that of the books, where a page begins with its partition.

    It leaves out what ClickHouse does not need and would read again in every batch.
    """
    schema = without_keys(load_schema(_SCHEMAS[book]), {"doc", "default"})
    if book == JOURNAL:
        schema["fields"].insert(0, {"name": _PARTITION, "type": "long"})
    return schema


@cache
def _head(book: str) -> bytes:
    return encode_header({"avro.schema": json.dumps(_schema(book), separators=(",", ":")).encode()}, _SYNC)


def found_query(book: str) -> str:
    """Asks what staged records of the journal or a ledger have rows for, as `found`: types of facts, or tables."""
    return _KINDS if book == JOURNAL else _sql("staging", "filled_tables")


def insert_statement(table: str, found: frozenset[str]) -> str | None:
    """The statement that inserts the rows of a table, given what `found_query` found; None where there are no rows.

    The statement takes `staged`, `edition` and `partitions`.
    """
    if table in TABLES[LEDGER]:
        return _statement(table) if table in found or table not in _MAYBE_EMPTY else None
    types = fact_types()
    if table == "facts":
        kinds = tuple(kind for kind in MEMBER_TYPES if types[kind] in found)
        return _facts(kinds) if kinds else None
    return _statement(table) if table not in _NEEDS or types[_NEEDS[table]] in found else None


def lines_statement() -> str:
    """The statement that puts the lines of staged pages (`staged`) into a table `lines` of the columns line_columns."""
    return _sql("staging", "journal_lines")


@cache
def line_columns() -> str:
    """The columns of a table of journal lines, as CREATE TABLE takes them."""
    said = ", ".join(sorted(fact_types().values()))
    return (
        "partition Int64, page Int64, line UInt32, member_id String, received_at DateTime64(3), input String, "
        f"record Int64, said Variant({said})"
    )


@cache
def _sql(folder: str, name: str) -> str:
    return sql_file(folder, name).statement


@cache
def _facts(kinds: tuple[str, ...]) -> str:
    selects = [_with_types(_facts_of(kind)) for kind in kinds]
    return "\n".join((_sql("inserts", "facts"), "\nUNION ALL\n".join(selects)))


def _facts_of(kind: str) -> str:
    return _sql("facts_of", kind) if kind == _WITH_LINES else _sql("facts_of", "other_kinds").replace("AnyFact", kind)


@cache
def _statement(table: str) -> str:
    return _with_types(_sql("inserts", table))


def _with_types(statement: str) -> str:
    types = fact_types()
    named = _KIND_AS_NAME.sub(lambda found: f"`{types[found[1]]}`", statement)
    return _KIND_AS_TEXT.sub(lambda found: f"'{types[found[1]]}'", named)
