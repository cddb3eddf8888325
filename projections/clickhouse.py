"""The one file that knows clickhouse-connect: an embedded ClickHouse (chDB) in a folder, behind the Store port."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError
from clickhouse_connect.driver.httputil import get_pool_manager

from projections.arrow_tables import ArrowRows
from projections.query_guard import why_refused
from projections.sessions import READING, Sessions
from projections.store import Address, Gathered, Parameters, QueryFailed, Row, StoreNotOpened
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
_SETTINGS: Final = READING | {
    "async_insert": "0",
    # Copies within one insert are left to FINAL and the merges, as copies in two inserts are: half the work.
    "optimize_on_insert": "0",
}
# 2 and not 1: a reader may set limits for its own query, but change no data and not this setting.
_READ_ONLY: Final = {"readonly": "2"}


class ClickHouse:
    """A Store over one client; use it as a context manager, in the process that opened it (chDB dies in a fork)."""

    def __init__(self, client: _Client, reader: _Client, lock: StoreLock | None = None) -> None:
        self._client = client
        self._reader = reader
        self._lock = lock
        self._types: dict[str, dict[str, str]] = {}
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

    def gather(self, table: str) -> ArrowRows:
        """A place to gather rows for a table (see Store)."""
        if table not in self._types:
            found = self.rows(_TYPES, {"database": ROWS, "table": table})
            self._types[table] = {str(row["name"]): str(row["type"]) for row in found}
        return ArrowRows(table, self._types[table])

    def insert(self, gathered: Gathered) -> None:
        """Append gathered rows to their table (see Store)."""
        self._own()
        if not isinstance(gathered, ArrowRows):
            raise TypeError("only rows that this store has gathered can be inserted")
        if not gathered.rows:
            return
        try:
            self._client.insert_arrow(gathered.table, gathered.arrow(), database=ROWS)
        except ClickHouseError as error:
            raise QueryFailed(f"{gathered.table}: {_message(error)}") from error

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
            # One of its own: the default one would send the token to a proxy that the environment names.
            pool_mgr=get_pool_manager(),
        )
    except ClickHouseError as error:
        raise StoreNotOpened(
            f"process {address.pid} has the tables open and serves them on {address.host}:{address.port}, but does not "
            f"answer there: {_message(error)}. If it is just ending or starting, try again."
        ) from error
    return ClickHouse(client, client)


def _message(error: ClickHouseError) -> str:
    return _OVER_HTTP.sub("", str(error))


def _bound(parameters: Parameters | None) -> dict[str, object] | None:
    return None if parameters is None else dict(parameters)
