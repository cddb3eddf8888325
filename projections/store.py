"""The port to ClickHouse: what projections and readers ask of it, whether it is embedded or a server."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from books.encoded_blocks import EncodedBlock

Row = dict[str, object]
Columns = Mapping[str, Sequence[object]]
Parameters = Mapping[str, object]
Pieces = Sequence[tuple[int, EncodedBlock]]  # blocks of a book, each with the partition that it comes from

JOURNAL: Final = "journal"
LEDGER: Final = "ledger"
REJECTS: Final = "rejects"
# The tables of each book in the order in which they are filled, so that a state never appears before its ledger rows.
TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    LEDGER: ("ledger", "workings", "members", "lots", "lot_states", "period_totals", "check_in_days", "account_states"),
    JOURNAL: ("facts", "fact_lines", "rulesets", "ticks"),
    REJECTS: ("rejects",),
}

# What a user must do so that the tables of an embedded ClickHouse are made again from the books.
FOLDER_RENEWAL: Final = "delete the folder clickhouse/ and run any reading command"


class StoreError(Exception):
    """The ClickHouse store cannot do what was asked; the message says why and what to do."""


class Address(msgspec.Struct, frozen=True):
    """Where process `pid` serves the tables that it holds, by HTTP on this machine alone, to whoever has the token."""

    port: int
    token: str
    pid: int
    host: str = "127.0.0.1"
    user: str = "reader"


class StoreHeld(StoreError):
    """Another process has the folder of an embedded ClickHouse open; only one can. `address` is where it serves it."""

    def __init__(self, path: Path, holder: str, address: Address | None = None) -> None:
        self.holder = holder
        self.address = address
        who = f"process {holder}" if holder else "another process"
        super().__init__(f"{path} is open in {who}; an embedded ClickHouse serves one process at a time. Wait for it.")


class StoreNotOpened(StoreError):
    """ClickHouse could not be opened: its folder, its server, or the process that serves it; the message says why."""


class StoreUnreachable(StoreError):
    """A ClickHouse server cannot be asked now: wait, open a new store, and do again what was not finished.

    What became of the present statement is not known; to repeat it does no harm. The store that raised this is of
    no further use: what it had staged is forgotten, and each call but `close` raises the same again.
    """


class TablesLeftBehind(StoreError):
    """The books committed what was given, but the tables could not be brought up to them."""


class QueryFailed(StoreError):
    """ClickHouse refused a statement; the message is its own."""


class Staged(Protocol):
    """Records that a store has taken in, from which its tables are filled one by one."""

    @property
    def book(self) -> str:
        """Which of TABLES they are for: JOURNAL, LEDGER or REJECTS."""


class Store(Protocol):
    """A ClickHouse with the databases `tallybook` (views for readers) and `tallybook_rows` (tables).

    Tables are filled in three steps, `stage`, `insert_staged` once for each of TABLES[book], `unstage`; the markers of
    what is in are ordinary rows (`insert` into `progress`), written after them. A fake that holds rows in memory needs:
    `stage` decodes the blocks (`decode_postings` and `decode_record` of schemas.avro.codecs) and makes rows of them;
    `insert_staged` keeps the rows of one table by the table's key, the greater version winning; `insert` does the same
    with `progress` (key: edition, partition, book; version: position), `journals` and `current_edition`; `rows` answers
    the queries of `projections.projector`.
    """

    def command(self, statement: str, parameters: Parameters | None = None) -> None:
        """Run a statement that returns nothing. Raises QueryFailed."""

    def rows(self, query: str, parameters: Parameters | None = None) -> list[Row]:
        """The answer of a query as one dict a row; `{name:Type}` in the query takes `parameters[name]`.

        Parameters are bound by the server, never pasted into the text. Raises QueryFailed.
        """

    def insert(self, table: str, columns: Columns) -> None:
        """Append a few rows, given as equally long columns, to a table of `tallybook_rows`; no rows have no effect.

        Instants are UTC milliseconds, dates are days since 1970, None is NULL. Raises QueryFailed.
        """

    def stage(self, book: str, pieces: Pieces) -> Staged:
        """Take in records of a book (JOURNAL, LEDGER or REJECTS) where no reader sees them.

        Raises QueryFailed, also for bytes that are no such records.
        """

    def insert_staged(self, staged: Staged, table: str, edition: str, partitions: int) -> None:
        """Append the rows that staged records make in one of TABLES[staged.book].

        All of them or (in one partition of the table) none; `edition` is that of a ledger, `partitions` the number
        that the books have. Raises QueryFailed.
        """

    def unstage(self, staged: Staged) -> None:
        """Forget staged records."""

    def export(self, query: str, output_format: str, parameters: Parameters | None = None) -> bytes:
        """The answer of a query in a format of ClickHouse (CSVWithNames, Parquet, JSONEachRow, PrettyCompact).

        Names without a database are those of `tallybook`, the views. Nothing can be changed by such a query, whatever
        it says. Raises QueryFailed.
        """

    def close(self) -> None:
        """Close the store; the object is of no use afterwards."""


def renewal(store: Store) -> str:
    """What a user must do so that the tables are made again from the books; by default, of those in a folder."""
    return str(getattr(store, "renewal", FOLDER_RENEWAL))
