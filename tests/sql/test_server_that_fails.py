"""A server that is killed, stands still or forgets: the store says so, and a new one goes on where the tables stand."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from projections.clickhouse import client as clickhouse
from projections.clickhouse.client import ClickHouse, open_server
from projections.clickhouse.migrate import migrate
from projections.clickhouse.server_errors import MAX_SAID_LENGTH, Server, cannot_answer_now, parse_server, unreachable
from projections.projector import project
from projections.store import LEDGER, QueryFailed, Staged, Store, StoreNotOpened, StoreUnreachable
from schemas.posting import FIRST_EDITION
from tests.fakes.list_books import ListBooks
from tests.fakes.store import CallsBefore
from tests.integration.clickhouses import ChdbOverHttp, drop_all
from tests.sql.projected_books import SMALL_BATCH, answers, as_new

PASSWORD = "let me in"  # noqa: S105 - opens nothing but the server of these tests
NOBODY = "http://127.0.0.1:1"
MAX_WAIT_SECONDS = 60.0
SHORT_SECONDS = 2
NEVER = -1


@pytest.fixture(scope="module")
def its_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChdbOverHttp]:
    """One of its own, as it is killed and started again."""
    with ChdbOverHttp(tmp_path_factory.mktemp("fails"), PASSWORD) as server:
        yield server


@pytest.fixture
def server(its_server: ChdbOverHttp) -> ChdbOverHttp:
    """It runs, whatever the test before did to it."""
    if not its_server.runs:
        its_server.start()
    return its_server


@pytest.fixture
def store(server: ChdbOverHttp) -> Iterator[ClickHouse]:
    """Migrated and empty."""
    with opened(server) as store:
        as_new(store)
        yield store


@pytest.fixture
def _dropped_afterwards(server: ChdbOverHttp) -> Iterator[None]:
    """The tables are made again for the next test, as this one drops some."""
    yield
    drop_all(server.url, PASSWORD)


def opened(server: ChdbOverHttp) -> ClickHouse:
    return open_server(server.url, "default", PASSWORD)


class HitBefore(CallsBefore):
    """Before the first insert into one of the tables, something happens to the server."""

    def __init__(self, store: Store, table: str, happens: Callable[[], None]) -> None:
        super().__init__(store, NEVER, happens)
        self._table = table
        self._happens: Callable[[], None] | None = happens

    def insert_staged(self, staged: Staged, table: str, edition: str, partitions: int) -> None:
        if table == self._table and self._happens is not None:
            happens, self._happens = self._happens, None
            happens()
        super().insert_staged(staged, table, edition, partitions)


@pytest.mark.parametrize("is_started_at_once", [False, True], ids=["stays-down", "is-up-at-once"])
@pytest.mark.parametrize("table", ["ledger", "account_states", "facts", "rejects"])
def test_a_server_killed_in_a_projection_loses_nothing(
    server: ChdbOverHttp,
    store: ClickHouse,
    books: ListBooks,
    undisturbed: dict[str, list[bytes]],
    *,
    table: str,
    is_started_at_once: bool,
) -> None:
    def happens() -> None:
        server.kill()
        if is_started_at_once:
            server.start()

    with pytest.raises(StoreUnreachable, match=f"{server.url} cannot be asked now .*can be done again"):
        project(books, HitBefore(store, table, happens), FIRST_EDITION, batch_bytes=SMALL_BATCH)
    for ask in (lambda: store.rows("SELECT 1"), lambda: project(books, store, FIRST_EDITION), lambda: migrate(store)):
        with pytest.raises(StoreUnreachable):  # although the server may be up: what was staged is gone
            ask()
    if not server.runs:
        with pytest.raises(StoreUnreachable, match=server.url):
            opened(server)
        server.start()
    with opened(server) as anew:
        assert answers(anew) != undisturbed
        migrate(anew)
        project(books, anew, FIRST_EDITION)
        assert answers(anew) == undisturbed


@pytest.mark.parametrize("statement", ["SELECT count() FROM numbers(10)", "INSERT", "STAGE", "EXPORT"])
def test_a_server_that_dies_over_a_statement(
    server: ChdbOverHttp, store: ClickHouse, books: ListBooks, statement: str
) -> None:
    """It takes the statement (or the system does, for it), does nothing, and is killed."""
    server.pause()
    asks: dict[str, Callable[[], object]] = {
        "INSERT": lambda: store.insert("ticks", {"partition": [1], "at": [1]}),
        "STAGE": lambda: store.stage(LEDGER, [(0, block) for block in books.ledger_blocks("0001", 0)]),
        "EXPORT": lambda: store.export("SELECT 1", "CSV"),
    }
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(asks.get(statement, lambda: store.rows(statement)))
        server.kill()
        with pytest.raises(StoreUnreachable, match="cannot be asked now"):
            asked.result(MAX_WAIT_SECONDS)


def test_a_server_that_stands_still_is_given_up_and_what_it_does_later_changes_nothing(
    server: ChdbOverHttp,
    store: ClickHouse,
    books: ListBooks,
    undisturbed: dict[str, list[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clickhouse, "SERVER_SECONDS", SHORT_SECONDS)
    with opened(server) as impatient:
        with pytest.raises(StoreUnreachable, match="timed out"):
            project(books, HitBefore(impatient, "members", server.pause), FIRST_EDITION, batch_bytes=SMALL_BATCH)
        server.resume()
    project(books, store, FIRST_EDITION)
    assert answers(store) == undisturbed


@pytest.mark.usefixtures("_dropped_afterwards")
def test_a_session_that_is_gone_is_told_from_a_table_that_is_gone(server: ChdbOverHttp, store: ClickHouse) -> None:
    staged = store.stage(LEDGER, [])
    store.command("DROP TABLE tallybook_rows.ledger SYNC")
    with pytest.raises(QueryFailed, match=r"tallybook_rows\.ledger"):
        store.insert_staged(staged, "ledger", "0001", 1)
    store.command("DROP TEMPORARY TABLE {name:Identifier}", {"name": "staged_ledger_1"})
    with pytest.raises(StoreUnreachable, match="forgotten the temporary table staged_ledger_1"):
        store.insert_staged(staged, "workings", "0001", 1)
    assert server.runs


def test_nobody_there() -> None:
    with pytest.raises(StoreUnreachable, match=rf"{NOBODY} cannot be asked now"):
        open_server(NOBODY)


def test_a_wrong_password_is_no_server_that_is_down(server: ChdbOverHttp) -> None:
    with pytest.raises(StoreNotOpened, match=r"does not take user 'default'.*Authentication failed") as caught:
        open_server(server.url, "default", "wrong")
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["", "host:8123", "clickhouse://host", "http://", "http://host:port", "http://host/path", "http://h?database=x"],
)
def test_what_is_no_url_of_a_server(url: str) -> None:
    with pytest.raises(StoreNotOpened, match="write http://HOST:8123"):
        open_server(url)


def test_a_password_in_the_url_is_not_repeated() -> None:
    with pytest.raises(StoreNotOpened, match="holds a user or a password") as caught:
        open_server("http://me:secret@host:8123")
    assert "secret" not in str(caught.value)


def test_where_a_server_is() -> None:
    assert parse_server("https://clickhouse.example/") == Server("https", "clickhouse.example", 8443)
    assert parse_server("http://[::1]").url == "http://[::1]:8123"


@pytest.mark.parametrize(
    ("code", "said", "on_the_way", "passes"),
    [
        (None, "connection refused", True, True),
        (None, "HTTP driver received HTTP status 502, server response: Bad Gateway", False, True),
        (None, "HTTP driver received HTTP status 404", False, False),
        (373, "SESSION_IS_LOCKED", False, True),
        (252, "TOO_MANY_PARTS", True, True),
        (60, "UNKNOWN_TABLE", True, False),
    ],
)
def test_what_passes_and_what_does_not(*, code: int | None, said: str, on_the_way: bool, passes: bool) -> None:
    assert cannot_answer_now(code, said, on_the_way=on_the_way) is passes


def test_a_long_tale_is_cut() -> None:
    assert len(str(unreachable(Server("http", "h", 1), "x" * 10_000))) < 2 * MAX_SAID_LENGTH
