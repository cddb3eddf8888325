"""A newer protocol's Native, made of the engine's own: cut where columns end, with the additions between."""

import pytest

from projections.clickhouse.client import ClickHouse
from projections.serving.http_errors import Refused
from projections.serving.http_request import Request
from projections.serving.native_blocks import REVISION, TypeNotKnown, with_additions
from projections.serving.served_query import Guarded
from projections.sql_files import sql_files

BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"
ZOO = {
    "a": "number",
    "b": "toString(number * number)",
    "c": "toNullable(number % 2 ? 'odd' : '')",
    "d": "nullIf(toFloat64(number), 1)",
    "e": "range(number)",
    "f": "arrayMap(x -> range(x), range(number))",
    "g": "map('k', number, 'l', 2)",
    "h": "tuple(number, 'x', [toNullable('y'), NULL])",
    "i": "CAST((1, 'a,b'), 'Tuple(n UInt8, `o (p)` String)')",
    "j": "toDateTime64(number, 3, 'UTC')",
    "k": "toDate32('2026-01-01') + number",
    "l": "toDecimal64(number, 2)",
    "m": "toDecimal128(number, 2)",
    "n": "toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')",
    "o": "toFixedString('abc', 5)",
    "p": "number = 2",
    "q": "CAST('a', 'Enum8(\\'a\\' = 1, \\'b, (c\\' = 2)')",
    "s": "toIPv6('::1')",
    "t": "repeat('é', 200)",
    "u": "NULL",
    "v": "CAST([], 'Array(Tuple(a String, b Nullable(DateTime)))')",
}


def native(programme: ClickHouse, query: str) -> bytes:
    """The oldest Native of one block."""
    return programme.sessions().ask(f"{query}\nFORMAT Native", "Native", database="tallybook").content


def column_alone(content: bytes, rows: int) -> tuple[bytes, bytes]:
    """Head (name and type) and values of a block with one column and fewer than 128 rows, as bytes."""
    assert content[:2] == bytes((1, rows))
    at = 2
    for _ in range(2):
        size = content[at]
        assert size < 128
        at += 1 + size
    return content[2:at], content[at:]


@pytest.mark.parametrize("rows", [1, 5])
def test_columns_of_all_types_end_where_they_end_alone(programme: ClickHouse, rows: int) -> None:
    expected = BLOCK_INFO + bytes((len(ZOO), rows))
    for name, value in ZOO.items():
        head, values = column_alone(native(programme, f"SELECT {value} AS {name} FROM numbers({rows})"), rows)
        expected += head + b"\x00" + values
    together = ", ".join(f"{value} AS {name}" for name, value in ZOO.items())
    assert with_additions(native(programme, f"SELECT {together} FROM numbers({rows})")) == expected


@pytest.mark.parametrize("view", [view.name for view in sql_files("views")])
def test_every_view_can_be_sent(programme: ClickHouse, view: str) -> None:
    old = native(programme, f"SELECT * FROM {view}")
    counting = "SELECT count() AS n FROM system.columns WHERE database = 'tallybook' AND table = {view:String}"
    columns = programme.rows(counting, {"view": view})
    new = with_additions(old)
    assert len(new) == len(old) + new.count(BLOCK_INFO) * (len(BLOCK_INFO) + int(str(columns[0]["n"])))


def test_only_who_asks_for_it_gets_it(programme: ClickHouse) -> None:
    guarded = Guarded(programme.sessions())

    def ask(query: str, protocol: int, form: str = "Native") -> bytes:
        return guarded.reply(Request(query, {}, {}, "", form, "", protocol), "ab12").answer.content

    old = ask("SELECT 1 AS n", 0)
    assert ask("SELECT 1 AS n", REVISION - 1) == old
    assert ask("SELECT 1 AS n", REVISION) == with_additions(old) == BLOCK_INFO + b"\x01\x01\x01n\x05UInt8\x00\x01"
    assert ask("SELECT 1 AS n", REVISION, "CSV") == b"1\n"
    assert ask("SELECT 1 AS n WHERE 0", REVISION) == with_additions(ask("SELECT 1 AS n WHERE 0", 0))
    for unknown in ("CAST(1, 'Variant(UInt8, String)')", "toLowCardinality('x')"):
        with pytest.raises(Refused, match="cast it"):
            ask(f"SELECT {unknown} AS n", REVISION)
    with pytest.raises(Refused, match="fewer rows"):
        ask("SELECT repeat('x', 1000) FROM numbers(20000)", REVISION)


def test_what_is_no_native_is_an_error() -> None:
    assert with_additions(b"") == b""
    with pytest.raises(IndexError):
        with_additions(b"\x01")
    with pytest.raises(TypeNotKnown):
        with_additions(b"\x01\x01\x01n\x04What\x00")
