"""What the rest of Tallybook may rely on in a store, tried on the embedded one."""

import os
from datetime import date, datetime

import pytest

from books.encoded_blocks import EncodedBlock
from projections.clickhouse.client import ClickHouse
from projections.store import JOURNAL, LEDGER, REJECTS, QueryFailed, StoreError
from schemas.avro.codecs import encode_record
from schemas.pages import Reject
from tests.sql.bookkeeper import ms


def test_values_of_every_kind_come_back(store: ClickHouse) -> None:
    refused = Reject(
        "malformed",
        "größer als 💯\n\t'\\",
        b"\x00\xff\xfe",
        2**63 - 1,
        received_at=ms("2026-02-28T23:59:59.999"),
        headers={"a": "1", "b": ""},
    )
    staged = store.stage(REJECTS, [(0, EncodedBlock(1, 1, encode_record(refused)))])
    store.insert_staged(staged, "rejects", "0001", 1)
    store.unstage(staged)
    (row,) = store.rows("SELECT number, message, received_at, hex(raw) AS raw, headers FROM tallybook_rows.rejects")
    assert row == {
        "number": 2**63 - 1,
        "message": "größer als 💯\n\t'\\",
        "received_at": datetime(2026, 2, 28, 23, 59, 59, 999_000),  # noqa: DTZ001 ClickHouse gives UTC without saying so
        "raw": "00FFFE",
        "headers": {"a": "1", "b": ""},
    }


def test_instants_and_dates_reach_to_the_end_of_the_calendar(store: ClickHouse) -> None:
    day = (date(2299, 12, 31) - date(1970, 1, 1)).days
    store.insert(
        "check_in_days",
        {"edition": ["e"] * 2, "member_id": ["a", "b"], "day": [day, 0], "seq": [1, 1], "run_length": [1, 1]},
    )
    store.insert("ticks", {"partition": [0], "at": [ms("2299-12-31T23:59:59.999")]})
    days = store.rows("SELECT day FROM tallybook_rows.check_in_days ORDER BY member_id")
    assert [row["day"] for row in days] == [date(2299, 12, 31), date(1970, 1, 1)]
    ticks = store.rows("SELECT toUnixTimestamp64Milli(at) AS at FROM tallybook_rows.ticks")
    assert ticks == [{"at": ms("2299-12-31T23:59:59.999")}]


def test_texts_of_any_kind_go_in(store: ClickHouse) -> None:
    text = "\"'\\ \n\t\x01é💯"
    columns: dict[str, list[object]] = {"edition": [text, ""], "partition": [2**32 - 1, 0], "book": ["x"] * 2}
    store.insert("progress", columns | {"position": [2**64 - 1, 0], "records": [1, 2]})
    rows = store.rows("SELECT edition, partition, position, records FROM tallybook_rows.progress ORDER BY records")
    assert [tuple(row.values()) for row in rows] == [(text, 2**32 - 1, 2**64 - 1, 1), ("", 0, 0, 2)]


def test_no_rows_are_no_effect(store: ClickHouse) -> None:
    store.insert("ticks", {"partition": [], "at": []})
    assert store.rows("SELECT 1 FROM tallybook_rows.ticks") == []


@pytest.mark.parametrize(
    "columns", [{"at": [1]}, {"partition": [1], "at": []}, {"partition": [1], "at": [1], "x": [1]}]
)
def test_rows_need_every_column_and_no_other(store: ClickHouse, columns: dict[str, list[int]]) -> None:
    with pytest.raises(AssertionError, match="the table has"):
        store.insert("ticks", columns)


def test_what_is_staged_goes_into_the_tables_of_its_book_alone(store: ClickHouse) -> None:
    staged = store.stage(REJECTS, [])
    with pytest.raises(TypeError, match="tables of its book"):
        store.insert_staged(staged, "ledger", "0001", 1)
    store.insert_staged(staged, "rejects", "0001", 1)
    store.unstage(staged)
    store.unstage(staged)
    assert store.rows("SELECT 1 FROM tallybook_rows.rejects") == []


@pytest.mark.parametrize("book", [JOURNAL, LEDGER, REJECTS])
def test_bytes_that_are_no_records_are_refused_and_nothing_stays(store: ClickHouse, book: str) -> None:
    for data in (b"\xff" * 40, b"\x02", b"\x80" * 200):
        with pytest.raises(QueryFailed):
            store.stage(book, [(0, EncodedBlock(1, 1, data))])
    assert store.rows("SELECT name FROM system.tables WHERE is_temporary") == []


def test_parameters_are_bound_by_the_server(store: ClickHouse) -> None:
    text = "'); DROP DATABASE tallybook_rows; -- \\ \n\t{x:String} %(x)s é 💯"
    query = "SELECT {x:String} AS x, {n:Int64} AS n, {d:Date32} AS d, {all:Array(String)} AS texts, {b:Bool} AS b"
    asked = {"x": text, "n": -5, "d": date(2026, 2, 28), "all": ["a'", "b"], "b": True}
    assert store.rows(query, asked) == [{"x": text, "n": -5, "d": date(2026, 2, 28), "texts": ["a'", "b"], "b": True}]
    assert store.export("SELECT {x:String} AS x", "JSONEachRow", {"x": "é"}) == '{"x":"é"}\n'.encode()


@pytest.mark.parametrize("ask", ["rows", "command", "export"])
def test_a_wrong_statement_says_what_clickhouse_says(store: ClickHouse, ask: str) -> None:
    with pytest.raises(QueryFailed, match="nowhere") as caught:
        store.export("SELECT nowhere", "CSV") if ask == "export" else getattr(store, ask)("SELECT nowhere")
    assert isinstance(caught.value, StoreError)


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE tallybook_rows.ledger",
        "TRUNCATE TABLE tallybook_rows.ledger",
        "INSERT INTO tallybook_rows.ticks VALUES (0, 0)",
        "ALTER TABLE tallybook_rows.ticks DELETE WHERE 1",
        "CREATE TABLE tallybook.mine (x UInt8) ENGINE = Memory",
        "SELECT 1 SETTINGS readonly = 0",
    ],
)
def test_a_reader_changes_nothing(store: ClickHouse, statement: str) -> None:
    with pytest.raises(QueryFailed, match=r"readonly|Not enough privileges|Cannot execute"):
        store.export(statement, "CSV")


def test_a_reader_need_not_name_the_database(store: ClickHouse) -> None:
    assert b"balances" in store.export("SHOW TABLES", "CSV")
    assert store.export("SELECT count() FROM balances SETTINGS max_threads = 1", "CSV") == b"0\n"


@pytest.mark.parametrize(
    ("output_format", "start"), [("CSVWithNames", b'"x"\n1\n'), ("Parquet", b"PAR1"), ("JSON", b"{")]
)
def test_answers_come_in_the_formats_of_clickhouse(store: ClickHouse, output_format: str, start: bytes) -> None:
    assert store.export("SELECT 1 AS x", output_format).startswith(start)


# Newer Pythons warn of exactly what this test is about.
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_store_is_of_no_use_in_a_forked_process(store: ClickHouse) -> None:
    child = os.fork()
    if child == 0:
        try:
            store.rows("SELECT 1")
        except AssertionError:
            os._exit(23)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 23
