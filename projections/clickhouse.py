"""The one file that knows clickhouse-connect: an embedded ClickHouse (chDB) in a folder, behind the Store port."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

import clickhouse_connect
import msgspec
from clickhouse_connect.driver.exceptions import ClickHouseError
from clickhouse_connect.driver.httputil import get_pool_manager

from projections.avro_staging import avro_file, staged_columns
from projections.json_rows import FORMAT, json_rows
from projections.query_guard import why_refused
from projections.sessions import READING, Sessions
from projections.staged_inserts import FILLED, KINDS, insert_statement, line_columns, lines_statement
from projections.store import (
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
    StoreNotOpened,
)
from projections.store_faults import no_room_on_the_way
from projections.store_lock import StoreLock

ROWS: Final = "tallybook_rows"
VIEWS: Final = "tallybook"
_Client: TypeAlias = Any  # the common face of the embedded and the server client is not exported

_TYPES: Final = "SELECT name, type FROM system.columns WHERE database = {database:String} AND table = {table:String}"
# ClickHouse parses a reader's query as a text, which runs nothing of it, and refuses more than one.
_FORMATTED: Final = "SELECT formatQuerySingleLine({query:String}) AS query"
_TABLE_FUNCTIONS: Final = "SELECT lower(name) AS name FROM system.table_functions"
# What the message of that parser says of the query around the reader's.
_AROUND: Final = re.compile(r"(?:: )?(?:In scope|While executing|while executing).*(?=\([A-Z_]+\))", re.DOTALL)
# What the client puts around the server's own message when it comes over HTTP.
_OVER_HTTP: Final = re.compile(r"^Received ClickHouse exception.*?server response: | \(for url [^ ]*\)$", re.DOTALL)
CONNECT_SECONDS: Final = 5
# Longer than a served query waits and runs, so that the server says what is the matter, and not the client.
SERVED_SECONDS: Final = 90
# Up to here it costs more to hand rows from thread to thread than one thread needs to make them all.
FEW_BYTES: Final = 1 << 20
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
        self, client: _Client, reader: _Client, lock: StoreLock | None = None, pool: _Client | None = None
    ) -> None:
        self._client = client
        self._pool = pool
        self._reader = reader
        self._lock = lock
        self._types: dict[str, dict[str, str]] = {}
        self._numbers = count(1)
        self._threads = 0
        self._table_functions: frozenset[str] | None = None
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
            raise QueryFailed(_message(error)) from error

    def rows(self, query: str, parameters: Parameters | None = None) -> list[Row]:
        """The answer of a query as one dict a row (see Store)."""
        self._own()
        try:
            answer = self._client.query(query, parameters=_bound(parameters))
        except ClickHouseError as error:
            raise QueryFailed(_message(error)) from error
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
            self._insert_as(staged.name, None, avro_file(book, pieces), "Avro")
            staged = self._in_lines(staged) if book == JOURNAL else staged
            return msgspec.structs.replace(staged, found=self._found_in(staged))
        except QueryFailed:
            self.unstage(staged)
            raise

    def _use_threads(self, count: int) -> None:
        """How many threads a statement has from now on; 0: as many as there are cores."""
        if count != self._threads:
            self.command(f"SET max_threads = {count}, max_insert_threads = {count}")
            self._threads = count

    def _in_lines(self, pages: _Staged) -> _Staged:
        """The lines of staged pages, which are forgotten."""
        lines = _Staged(pages.book, f"{pages.name}_lines")
        self.command(f"CREATE TEMPORARY TABLE {lines.name} ({line_columns()}) ENGINE = Memory")
        try:
            self.command(lines_statement(), {"staged": pages.name, "lines": lines.name})
        except QueryFailed:
            self.unstage(lines)
            raise
        self.unstage(pages)
        return lines

    def _found_in(self, staged: _Staged) -> frozenset[str]:
        """What the staged records have rows for: a statement that inserts none costs some milliseconds all the same."""
        if staged.book == REJECTS:
            return frozenset()
        (row,) = self.rows(KINDS if staged.book == JOURNAL else FILLED, {"staged": staged.name})
        found = row["found"]
        return frozenset(found) if isinstance(found, list) else frozenset()

    def insert_staged(self, staged: Staged, table: str, edition: str, partitions: int) -> None:
        """Append the rows that staged records make in one of the tables (see Store)."""
        if not isinstance(staged, _Staged) or table not in TABLES[staged.book]:
            raise TypeError("only what this store has staged can be inserted, and into the tables of its book")
        statement = insert_statement(table, staged.found)
        if statement is not None:
            self.command(statement, {"staged": staged.name, "edition": edition, "partitions": partitions})

    def unstage(self, staged: Staged) -> None:
        """Forget staged records (see Store)."""
        if not isinstance(staged, _Staged):
            raise TypeError("only what this store has staged can be forgotten")
        self.command("DROP TABLE IF EXISTS {staged:Identifier}", {"staged": staged.name})

    def _insert_as(self, table: str, names: Sequence[str] | None, rows: bytes, input_format: str) -> None:
        try:
            self._client.raw_insert(table, names, rows, fmt=input_format)
        except ClickHouseError as error:
            raise QueryFailed(f"{table}: {_message(error)}") from error
        except OSError as error:  # the client hands rows to the engine in a temporary file
            raise no_room_on_the_way(error) or error from error

    def export(self, query: str, output_format: str, parameters: Parameters | None = None) -> bytes:
        """The answer of a query in a format of ClickHouse, read-only (see Store)."""
        self._own()
        try:
            checked = self._only_reading(query)
            answer: bytes = self._reader.raw_query(checked, parameters=_bound(parameters), fmt=output_format)
        except ClickHouseError as error:
            raise QueryFailed(_message(error)) from error
        return answer

    def _only_reading(self, query: str) -> str:
        """The query as ClickHouse writes it, which is what it will run; raises QueryFailed for all but reading."""
        try:
            formatted = str(self.rows(_FORMATTED, {"query": query})[0]["query"])
        except QueryFailed as error:
            raise QueryFailed(_AROUND.sub("", str(error))) from error
        if self._table_functions is None:
            self._table_functions = frozenset(str(row["name"]) for row in self.rows(_TABLE_FUNCTIONS))
        if (reason := why_refused(formatted, self._table_functions)) is not None:
            raise QueryFailed(f"refused: {reason}")
        return formatted

    def sessions(self) -> Sessions:
        """Where others are answered beside this store, from threads of this process, until it is closed.

        Raises:
            TypeError: this is no embedded ClickHouse, so others can ask it themselves.
        """
        if self._lock is None:
            raise TypeError("only an embedded ClickHouse is served by the process that has it open")
        return Sessions(self._lock.folder)

    def announce(self, address: Address | None) -> None:
        """Say in the folder's lock where this process serves the store; None: nowhere, or no longer."""
        if self._lock is not None:
            self._lock.announce(address)

    def close(self) -> None:
        """Close the engine and let go of the folder."""
        self._own()
        self._reader.close()
        self._client.close()
        if self._pool is not None:
            self._pool.clear()
        if self._lock is not None:
            self._lock.release()

    def _own(self) -> None:
        if os.getpid() != self._process:
            raise AssertionError("an embedded ClickHouse does not survive a fork: start the process by spawn")


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
        pool.clear()
        raise StoreNotOpened(
            f"process {address.pid} has the tables open and serves them on {address.host}:{address.port}, but does not "
            f"answer there: {_message(error)}. If it is just ending or starting, try again."
        ) from error
    return ClickHouse(client, client, pool=pool)


def _message(error: ClickHouseError) -> str:
    return _OVER_HTTP.sub("", str(error))


def _bound(parameters: Parameters | None) -> dict[str, object] | None:
    return None if parameters is None else dict(parameters)
