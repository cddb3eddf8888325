"""The one file that knows clickhouse-connect: an embedded ClickHouse (chDB) or a server, behind the Store port."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeAlias
from uuid import uuid4

import clickhouse_connect
import msgspec
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError
from clickhouse_connect.driver.httputil import all_managers, get_pool_manager

from projections.clickhouse.disk_errors import no_room_on_the_way
from projections.clickhouse.json_rows import FORMAT, json_rows
from projections.clickhouse.lock import StoreLock
from projections.clickhouse.query_guard import ReaderGuard
from projections.clickhouse.replaced_parts import clear_replaced_parts
from projections.clickhouse.server_errors import (
    Server,
    cannot_answer_now,
    lost_session,
    parse_server,
    server_renewal,
    unreachable,
)
from projections.clickhouse.sessions import READING, Sessions
from projections.clickhouse.staging import (
    avro_file,
    found_query,
    insert_statement,
    line_columns,
    lines_statement,
    staged_columns,
)
from projections.store import (
    FOLDER_RENEWAL,
    JOURNAL,
    REJECTS,
    TABLES,
    Address,
    Columns,
    Parameters,
    Pieces,
    QueryFailed,
    Row,
    Staged,
    StoreError,
    StoreNotOpened,
    StoreUnreachable,
)

ROWS: Final = "tallybook_rows"
VIEWS: Final = "tallybook"
_Client: TypeAlias = Any  # the common interface of the embedded and the server client is not exported

_TYPES: Final = "SELECT name, type FROM system.columns WHERE database = {database:String} AND table = {table:String}"
_IN_SESSION: Final = "SELECT 1 AS there FROM system.tables WHERE is_temporary AND name = {staged:String}"
# The client library wraps the server's own message in this when it comes over HTTP.
_OVER_HTTP: Final = re.compile(r"^Received ClickHouse exception.*?server response: | \(for url [^ ]*\)$", re.DOTALL)
CONNECT_SECONDS: Final = 5
# Longer than a served query may wait and run, so that the error comes from the server, not from the client.
SERVED_SECONDS: Final = 90
# How long the server may send nothing; an insert that succeeds takes less than a tenth of it.
SERVER_SECONDS: Final = 120
# How long a session lives between two statements; what is staged stays in the server's memory as long.
SESSION_SECONDS: Final = 60
# Up to this size one thread is faster than several that hand rows to each other.
FEW_BYTES: Final = 1 << 20
# Staged in turn before the disk is cleared of the parts that merges have replaced meanwhile, some ten for each.
STAGED_BEFORE_CLEARING: Final = 128
_SETTINGS: Final = READING | {
    "async_insert": "0",
    # Copies within one insert are left to FINAL and the merges, as copies in two inserts are: half the work.
    "optimize_on_insert": "0",
    # A staged posting has fields that no table shows; kinds of fact differ in names, where ClickHouse fears a mistake.
    "input_format_avro_allow_missing_fields": "1",
    "allow_suspicious_variant_types": "1",
}
# 2 and not 1: a reader may set limits for its own query, but change no data and not this setting.
_READ_ONLY: Final = {"readonly": "2"}


class _Staged(msgspec.Struct, frozen=True):
    """A temporary table that holds records of a book, and what they have rows for: kinds of fact, or tables."""

    book: str
    name: str
    found: frozenset[str] = frozenset()


class ClickHouse:
    """A Store over one client; use it as a context manager, in the process that opened it (chDB dies in a fork)."""

    def __init__(
        self,
        client: _Client,
        reader: _Client,
        lock: StoreLock | None = None,
        pool: _Client | None = None,
        server: Server | None = None,
    ) -> None:
        self._client = client
        self._pool = pool
        self._reader = reader
        self._lock = lock
        self._server = server
        self._lost: StoreUnreachable | None = None
        self._types: dict[str, dict[str, str]] = {}
        self._numbers = count(1)
        self._threads = 0
        self._unstaged = 0
        self._guard = ReaderGuard(self)
        self._process = os.getpid()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def command(self, statement: str, parameters: Parameters | None = None) -> None:
        """Run a statement that returns nothing (see Store)."""
        self._own()
        try:
            self._client.command(statement, parameters=_bound(parameters))
        except ClickHouseError as error:
            raise self._fault(error) from error

    def rows(self, query: str, parameters: Parameters | None = None) -> list[Row]:
        """The answer of a query as one dict a row (see Store)."""
        self._own()
        try:
            answer = self._client.query(query, parameters=_bound(parameters))
        except ClickHouseError as error:
            raise self._fault(error) from error
        names: Sequence[str] = answer.column_names
        return [dict(zip(names, row, strict=True)) for row in answer.result_rows]

    def insert(self, table: str, columns: Columns) -> None:
        """Append a few rows to a table (see Store)."""
        self._own()
        if table not in self._types:
            found = self.rows(_TYPES, {"database": ROWS, "table": table})
            self._types[table] = {str(row["name"]): str(row["type"]) for row in found}
        if lines := json_rows(columns, self._types[table]):
            self._insert_as(f"{ROWS}.{table}", list(columns), lines, FORMAT)

    def stage(self, book: str, pieces: Pieces) -> Staged:
        """Take in records of a book as the Avro that they are (see Store).

        They go into a temporary table in memory, which dies with the session: nothing is left of a process that died.
        """
        self._own()
        self._use_threads(1 if sum(len(block.data) for _, block in pieces) < FEW_BYTES else 0)
        staged = _Staged(book, f"staged_{book}_{next(self._numbers)}")
        self.command(f"CREATE TEMPORARY TABLE {staged.name} ({staged_columns(book)}) ENGINE = Memory")
        try:
            with self._in_session(staged):
                self._insert_as(staged.name, None, avro_file(book, pieces), "Avro")
            staged = self._in_lines(staged) if book == JOURNAL else staged
            with self._in_session(staged):
                return msgspec.structs.replace(staged, found=self._found_in(staged))
        except QueryFailed:
            self.unstage(staged)
            raise

    def _use_threads(self, count: int) -> None:
        """How many threads a statement has from now on; 0: as many as there are cores."""
        if count == self._threads:
            return
        if self._server is None:
            self.command(f"SET max_threads = {count}, max_insert_threads = {count}")
        else:  # with each statement: what is SET ends with its session
            for setting in ("max_threads", "max_insert_threads"):
                self._client.set_client_setting(setting, str(count))
        self._threads = count

    def _in_lines(self, pages: _Staged) -> _Staged:
        """The lines of staged pages in a table of their own; the pages are dropped."""
        lines = _Staged(pages.book, f"{pages.name}_lines")
        self.command(f"CREATE TEMPORARY TABLE {lines.name} ({line_columns()}) ENGINE = Memory")
        try:
            with self._in_session(pages):
                self.command(lines_statement(), {"staged": pages.name, "lines": lines.name})
        except QueryFailed:
            self.unstage(lines)
            raise
        self.unstage(pages)
        return lines

    def _found_in(self, staged: _Staged) -> frozenset[str]:
        """What the staged records have rows for, so that no statement runs that would insert none."""
        if staged.book == REJECTS:
            return frozenset()
        (row,) = self.rows(found_query(staged.book), {"staged": staged.name})
        found = row["found"]
        return frozenset(found) if isinstance(found, list) else frozenset()

    def insert_staged(self, staged: Staged, table: str, edition: str, partitions: int) -> None:
        """Append the rows that staged records make in one of the tables (see Store)."""
        if not isinstance(staged, _Staged) or table not in TABLES[staged.book]:
            raise TypeError("only what this store has staged can be inserted, and into the tables of its book")
        statement = insert_statement(table, staged.found)
        if statement is not None:
            with self._in_session(staged):
                self.command(statement, {"staged": staged.name, "edition": edition, "partitions": partitions})

    def unstage(self, staged: Staged) -> None:
        """Forget staged records (see Store)."""
        if not isinstance(staged, _Staged):
            raise TypeError("only what this store has staged can be forgotten")
        self.command("DROP TABLE IF EXISTS {staged:Identifier}", {"staged": staged.name})
        self._unstaged += 1
        if self._unstaged == STAGED_BEFORE_CLEARING:
            self._unstaged = 0
            self._clear(is_closing=False)

    def _clear(self, *, is_closing: bool) -> None:
        if self._lock is not None:  # a server does so by itself
            clear_replaced_parts(self.rows, self.command, ROWS, is_closing=is_closing)

    def _insert_as(self, table: str, names: Sequence[str] | None, rows: bytes, input_format: str) -> None:
        try:
            self._client.raw_insert(table, names, rows, fmt=input_format)
        except ClickHouseError as error:
            raise self._fault(error, f"{table}: ") from error
        except OSError as error:  # the client hands rows to the engine in a temporary file
            raise no_room_on_the_way(error) or error from error

    def export(self, query: str, output_format: str, parameters: Parameters | None = None) -> bytes:
        """The answer of a query in a format of ClickHouse, read-only (see Store)."""
        self._own()
        try:
            checked = self._guard.checked(query)
            answer: bytes = self._reader.raw_query(checked, parameters=_bound(parameters), fmt=output_format)
        except ClickHouseError as error:
            raise self._fault(error) from error
        return answer

    @contextmanager
    def _in_session(self, staged: _Staged) -> Iterator[None]:
        """Tell a statement that a server refuses from one whose staged records were lost with their session."""
        try:
            yield
        except QueryFailed as error:
            if self._server is None or self.rows(_IN_SESSION, {"staged": staged.name}):
                raise
            self._lost = lost_session(self._server, staged.name)
            raise self._lost from error

    def _fault(self, error: ClickHouseError, before: str = "") -> StoreError:
        """The error to raise for one of the client library."""
        said = _message(error)
        if self._server is None or not _may_pass(error, said):
            return QueryFailed(before + said)
        self._lost = unreachable(self._server, said)
        return self._lost

    @property
    def renewal(self) -> str:
        """What a user must do so that the tables are made again from the books."""
        return FOLDER_RENEWAL if self._server is None else server_renewal(self._server)

    def sessions(self) -> Sessions:
        """Where others are answered beside this store, until it is closed; TypeError if it is not the embedded one."""
        if self._lock is None:
            raise TypeError("only an embedded ClickHouse is served by the process that has it open")
        return Sessions(self._lock.folder)

    def announce(self, address: Address | None) -> None:
        """Write into the folder's lock where this process serves the store; None: not, or no longer."""
        if self._lock is not None:
            self._lock.announce(address)

    def close(self) -> None:
        """Close the engine and release the folder, or close the connections to the server."""
        self._of_this_process()
        try:
            self._clear(is_closing=True)
        finally:
            self._reader.close()
            self._client.close()
            _hang_up(self._pool)
            if self._lock is not None:
                self._lock.release()

    def _own(self) -> None:
        self._of_this_process()
        if self._lost is not None:
            raise StoreUnreachable(str(self._lost)) from self._lost

    def _of_this_process(self) -> None:
        if os.getpid() != self._process:
            raise AssertionError("an opened ClickHouse does not survive a fork: start the process by spawn")


def open_chdb(path: Path | str) -> ClickHouse:
    """Open the embedded ClickHouse in a folder, making it if there is none.

    Raises:
        StoreHeld: another process has it open.
        StoreNotOpened: the engine cannot open it, for instance because this process has another one open.
    """
    folder = Path(path).resolve()
    lock = StoreLock(folder)
    try:
        client = clickhouse_connect.get_client(interface="chdb", path=str(folder), settings=_SETTINGS)
        reader = clickhouse_connect.get_client(interface="chdb", path=str(folder), settings=_SETTINGS | _READ_ONLY)
        reader.database = VIEWS  # so that people may leave it out
    except ClickHouseError as error:
        lock.release()
        raise StoreNotOpened(
            f"{folder} could not be opened: {error}. One process opens one folder at a time, and no other program may "
            "have it open. The folder holds nothing but copies: if it is damaged, delete it, and the next reading "
            "command makes it again."
        ) from error
    return ClickHouse(client, reader, lock)


def open_served(address: Address) -> ClickHouse:
    """The tables that another process holds and serves, for reading; every statement that changes any is refused.

    Raises:
        StoreNotOpened: it does not answer there, or does not take the token.
    """
    # One of its own: the default one would send the token to a proxy that the environment names.
    pool = get_pool_manager()
    try:
        client = clickhouse_connect.get_client(
            host=address.host,
            port=address.port,
            username=address.user,
            password=address.token,
            database=VIEWS,
            autogenerate_session_id=False,
            compress=False,
            connect_timeout=CONNECT_SECONDS,
            send_receive_timeout=SERVED_SECONDS,
            pool_mgr=pool,
        )
    except ClickHouseError as error:
        _hang_up(pool)
        raise StoreNotOpened(
            f"process {address.pid} has the tables open and serves them on {address.host}:{address.port}, but does not "
            f"answer there: {_message(error)}. If it is just ending or starting, try again."
        ) from error
    return ClickHouse(client, client, pool=pool)


def open_server(url: str, user: str = "default", password: str = "") -> ClickHouse:
    """A ClickHouse server to write to, over HTTP in a session of its own; it need not be migrated yet.

    The session holds what is staged: the URL must lead to one server, and not to one of many by turns.

    Args:
        url: http://HOST:8123 or https://HOST:8443; certificates are checked against those of the system.
        user: may create the databases `tallybook` and `tallybook_rows`, temporary tables, and all within.
        password: of the user.

    Raises:
        StoreUnreachable: it does not answer now.
        StoreNotOpened: the URL is none, or the server does not take the user.
    """
    server = parse_server(url)
    # One of its own: it is never shared with another store, and asks no proxy that the environment names.
    pool = get_pool_manager()
    try:
        client = _server_client(
            server, user, password, pool, {"session_id": str(uuid4()), "session_timeout": str(SESSION_SECONDS)}
        )
        reader = _server_client(server, user, password, pool, _READ_ONLY)
        reader.database = VIEWS  # so that people may leave it out; a first run has yet to make it
    except ClickHouseError as error:
        _hang_up(pool)
        said = _message(error)
        if _may_pass(error, said):
            raise unreachable(server, said) from error
        raise StoreNotOpened(f"the ClickHouse server at {server.url} does not take user {user!r}: {said}") from error
    return ClickHouse(client, reader, pool=pool, server=server)


def _server_client(server: Server, user: str, password: str, pool: _Client, settings: dict[str, str]) -> _Client:
    return clickhouse_connect.get_client(
        interface=server.scheme,
        host=server.host,
        port=server.port,
        username=user,
        password=password,
        settings=_SETTINGS | settings,
        autogenerate_session_id=False,
        compress=False,
        connect_timeout=CONNECT_SECONDS,
        send_receive_timeout=SERVER_SECONDS,
        pool_mgr=pool,
    )


def _hang_up(pool: _Client | None) -> None:
    """Close the connections of a pool, and have the client library forget it."""
    if pool is not None:
        pool.clear()
        all_managers.pop(pool, None)


def _may_pass(error: ClickHouseError, said: str) -> bool:
    code = getattr(error, "code", None)
    return cannot_answer_now(code, said, on_the_way=isinstance(error, OperationalError))


def _message(error: ClickHouseError) -> str:
    return _OVER_HTTP.sub("", str(error))


def _bound(parameters: Parameters | None) -> dict[str, object] | None:
    return None if parameters is None else dict(parameters)
