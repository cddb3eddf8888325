"""A real ClickHouse served by another process, to clients that know nothing of us; and nothing can be changed there."""

import http.client
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from projections.answers import queries as readers
from projections.audits.run import run_audits
from projections.clickhouse.client import ClickHouse, open_served
from projections.clickhouse.lock import holder_of
from projections.sql_files import sql_files
from projections.store import Address, QueryFailed, Store, StoreNotOpened
from tests.sql.projected_books import answers
from tests.sql.served import served_programme
from tests.support.waiting import MAX_WAIT_SECONDS, wait_for

HEAVY = "SELECT sum(cityHash64(number)) FROM system.numbers"
VIEWS = [view.name for view in sql_files("views")]
QUESTIONS = {question.name: question.statement for question in sql_files("questions")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served") / "clickhouse"


@pytest.fixture(scope="module")
def client(address: Address) -> Iterator[Any]:
    """An unmodified client; its face is not exported."""
    with connect(address) as client:
        yield client


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[Address]:
    with served_programme(folder) as address:
        yield address


@pytest.fixture(scope="module")
def served(address: Address) -> Iterator[ClickHouse]:
    """The served tables behind the Store port."""
    with open_served(address) as store:
        yield store


def connect(address: Address, **more: Any) -> Any:
    """A client as anybody makes one, with connections of its own, which end with it."""
    given: dict[str, Any] = {
        "host": address.host,
        "port": address.port,
        "username": address.user,
        "password": address.token,
    }
    return clickhouse_connect.get_client(dedicated_pool=True, **(given | more))


def curl(address: Address, *arguments: str) -> str:
    """What curl prints for a request with the token."""
    url = f"http://{address.host}:{address.port}/"
    command = ["curl", "--silent", "--max-time", "30", "--user", f"{address.user}:{address.token}", *arguments, url]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("view", VIEWS)
def test_a_clickhouse_client_reads_every_view(client: Any, programme: ClickHouse, view: str) -> None:
    found = client.query(f"SELECT * FROM {view}")
    assert len(found.result_rows) == programme.rows(f"SELECT count() AS n FROM tallybook.{view}")[0]["n"]
    arrow = client.query_arrow(f"SELECT * FROM tallybook.{view}")
    assert arrow.column_names == list(found.column_names)
    assert client.command(f"SELECT count() FROM {view}") == arrow.num_rows


def test_types_and_parameters_survive_the_way(address: Address) -> None:
    query = "SELECT {a:Array(String)}, {b:Nullable(String)}, {c:String}, toLowCardinality('x'), map('k', 1)"
    given = {"a": ["it's", "a\tb\\c"], "b": None, "c": "é" * 10_000}
    with connect(address, username="default", compress=True) as client:
        assert client.query(query, parameters=given).result_rows == [(given["a"], None, given["c"], "x", {"k": 1})]
        assert client.ping()


def test_curl_is_enough(address: Address) -> None:
    assert curl(address, "--data", "SELECT 1 + 1") == "2\n"
    assert curl(address, "--get", "--data-urlencode", "query=SELECT 1 AS n FORMAT JSONEachRow") == '{"n":1}\n'
    assert "ann" in curl(address, "--data", "SELECT member_id FROM balances")


READERS: dict[str, Callable[[Store], object]] = {
    "balance": lambda store: readers.balance(store, "ann"),
    "nobody": lambda store: readers.balance(store, "it's \\ nobody"),
    "statement": lambda store: readers.statement(store, "ann", limit=5),
    "lots": lambda store: readers.lots(store, "ann", open_only=False),
    "members": lambda store: readers.members(store, after="ann"),
    "leaderboard": lambda store: readers.leaderboard(store, readers.Period.MONTH),
    "progress": readers.progress,
    "audits": run_audits,
    "views": answers,
    "explain": lambda store: store.rows("SELECT * FROM tallybook.facts ORDER BY ALL"),
}


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_is_told_the_same_as_by_tables_of_its_own(
    served: ClickHouse, programme: ClickHouse, reader: str
) -> None:
    assert READERS[reader](served) == READERS[reader](programme)


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_is_answered_the_same(served: ClickHouse, programme: ClickHouse, question: str) -> None:
    for form in ("PrettyCompactMonoBlock", "CSVWithNames", "JSONEachRow", "Parquet"):
        assert served.export(QUESTIONS[question], form) == programme.export(QUESTIONS[question], form)


@pytest.mark.parametrize("query", ["SELECT nix FROM balances", "SELEC 1", "SELECT * FROM file('/x')", "DROP x"])
def test_a_mistake_is_told_in_the_same_words(served: ClickHouse, programme: ClickHouse, query: str) -> None:
    told = []
    for store in (served, programme):
        with pytest.raises(QueryFailed) as failed:
            store.export(query, "CSV")
        told.append(str(failed.value))
    assert told[0] == told[1]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO tallybook_rows.ticks SELECT * FROM tallybook_rows.ticks",
        "TRUNCATE TABLE tallybook_rows.ledger",
        "DROP DATABASE tallybook",
        "CREATE TABLE tallybook.mine (n UInt8) ENGINE = Memory",
        "CREATE TEMPORARY TABLE mine (n UInt8)",
        "SET max_execution_time = 0",
        "SYSTEM SHUTDOWN",
        "KILL QUERY WHERE 1",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        'SELECT * FROM default."/etc/passwd"',
        "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'x String')",
        "SELECT 1 INTO OUTFILE 'mine'",
    ],
)
def test_nothing_can_be_changed_or_reached(client: Any, served: ClickHouse, statement: str) -> None:
    with pytest.raises(ClickHouseError, match="READONLY"):
        client.command(statement)
    with pytest.raises(QueryFailed, match="READONLY"):
        served.command(statement)


def test_rows_cannot_be_inserted_by_a_client(client: Any) -> None:
    with pytest.raises(ClickHouseError, match="READONLY"):
        client.insert("tallybook_rows.ticks", [[1]], column_names=["at"], column_type_names=["UInt8"])


def test_a_wrong_token_opens_nothing(address: Address) -> None:
    guess = "a-guess"
    with pytest.raises(ClickHouseError, match="AUTHENTICATION_FAILED"):
        connect(address, password=guess)
    with pytest.raises(StoreNotOpened, match=r"Authentication failed"):
        open_served(Address(port=address.port, token=guess, pid=address.pid))


def test_a_server_that_is_gone_is_told_as_such() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(StoreNotOpened, match="does not answer"):
        open_served(Address(port=port, token="", pid=1))


def test_the_token_goes_to_no_proxy(address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    with open_served(address) as store:
        assert store.rows("SELECT 1 AS n") == [{"n": 1}]


def test_two_clients_ask_at_once(address: Address) -> None:
    found: list[list[int]] = []

    def ask() -> None:
        with connect(address) as client:
            found.append([client.command(f"SELECT {number} + count() * 0 FROM ledger") for number in range(20)])

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [list(range(20))] * 3


def test_a_heavy_query_ends_with_its_client_and_stops_nobody(address: Address, served: ClickHouse) -> None:
    running = "SELECT count() AS n FROM system.processes WHERE query LIKE '%cityHash64%' AND query NOT LIKE '%LIKE%'"
    connection = http.client.HTTPConnection(address.host, address.port, timeout=MAX_WAIT_SECONDS)
    connection.request("POST", "/", HEAVY, {"X-ClickHouse-Key": address.token})
    wait_for("the query runs", lambda: served.rows(running) == [{"n": 1}])
    assert readers.balance(served, "ann") is not None
    connection.close()
    wait_for("the query is ended", lambda: served.rows(running) == [{"n": 0}])


def test_limits_of_time_and_size_are_told_as_such(client: Any) -> None:
    with pytest.raises(ClickHouseError, match="TIMEOUT_EXCEEDED"):
        client.command(HEAVY, settings={"max_execution_time": 1})
    with pytest.raises(ClickHouseError, match="TOO_MANY_ROWS_OR_BYTES"):
        client.query("SELECT number FROM system.numbers LIMIT 100000", settings={"max_result_bytes": 1000})
    assert client.command("SELECT 1") == 1


def test_the_lock_says_where(folder: Path, address: Address) -> None:
    holder = holder_of(folder)
    assert holder is not None
    assert holder.address == address
