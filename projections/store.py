"""What the projections ask of a ClickHouse, so that the embedded one and a server fit the same hole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

Row = dict[str, object]
Columns = Mapping[str, Sequence[object]]
Parameters = Mapping[str, object]


class StoreError(Exception):
    """The ClickHouse store cannot do what was asked; the message says why and what to do."""


class Address(msgspec.Struct, frozen=True):
    """Where process `pid` serves the tables that it holds, by HTTP on this machine alone, to whoever has the token."""

    port: int
    token: str
    pid: int
    host: str = "127.0.0.1"
    user: str = "reader"


class StoreHeld(StoreError):  # noqa: N818 - named after what happened, as facts are
    """Another process has the folder of an embedded ClickHouse open; only one can. `address` is where it serves it."""

    def __init__(self, path: Path, holder: str, address: Address | None = None) -> None:
        self.path = path
        self.holder = holder
        self.address = address
        who = f"process {holder}" if holder else "another process"
        super().__init__(f"{path} is open in {who}; an embedded ClickHouse serves one process at a time. Wait for it.")


class StoreNotOpened(StoreError):  # noqa: N818 - named after what happened, as facts are
    """The folder is there, but ClickHouse could not open it."""


class QueryFailed(StoreError):  # noqa: N818 - named after what happened, as facts are
    """ClickHouse refused a statement; the message is its own."""


class Gathered(Protocol):
    """Rows on their way to one table: `table` names it, `rows` counts them."""

    @property
    def table(self) -> str:
        """Where they will be inserted."""

    @property
    def rows(self) -> int:
        """How many there are."""

    def extend(self, columns: Columns) -> None:
        """Take in equally long columns (name → values), all that the table has.

        Instants are UTC milliseconds, dates are days since 1970, None is NULL.
        """


class Store(Protocol):
    """A ClickHouse with the databases `tallybook` (views for readers) and `tallybook_rows` (tables)."""

    def command(self, statement: str, parameters: Parameters | None = None) -> None:
        """Run a statement that returns nothing. Raises QueryFailed."""

    def rows(self, query: str, parameters: Parameters | None = None) -> list[Row]:
        """The answer of a query as one dict a row; `{name:Type}` in the query takes `parameters[name]`.

        Parameters are bound by the server, never pasted into the text. Raises QueryFailed.
        """

    def gather(self, table: str) -> Gathered:
        """A place to gather rows for a table of `tallybook_rows`."""

    def insert(self, gathered: Gathered) -> None:
        """Append gathered rows to their table, all of them or (in one partition of the table) none; none is no effect.

        They must come from `gather` of this store, and are used up. Raises QueryFailed.
        """

    def export(self, query: str, output_format: str, parameters: Parameters | None = None) -> bytes:
        """The answer of a query in a format of ClickHouse (CSVWithNames, Parquet, JSONEachRow, PrettyCompact).

        Names without a database are those of `tallybook`, the views. Nothing can be changed by such a query, whatever
        it says. Raises QueryFailed.
        """

    def close(self) -> None:
        """Let go of the store; the object is of no use afterwards."""


def insert_rows(store: Store, table: str, columns: Columns) -> None:
    """Append a few rows to a table of `tallybook_rows` at once."""
    gathered = store.gather(table)
    gathered.extend(columns)
    store.insert(gathered)
