"""Carries the committed books into ClickHouse: rows first, the marker that speaks of them last, and twice does no harm.

Nothing here asks whether a row is already in: each has an identity, so a second copy of it is the same row. The marker
only saves the work of reading the books from their beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, Protocol

import msgspec

from projections.fact_rows import JournalRows
from projections.reject_rows import reject_rows
from projections.rows import posting_rows
from projections.store import Columns, Gathered, Store, StoreError, insert_rows
from schemas.facts import JournalOpened
from schemas.instants import format_instant
from schemas.pages import JournalPage, Reject
from schemas.posting import Posting

FIRST_EDITION: Final = "0001"
# Rows gathered before an insert: large enough that a part of a table is worth its making, small enough for memory.
BATCH_ROWS: Final = 200_000
# Records turned into columns at a time: few enough to stay in the processor's cache (ten times as many take twice the
# time each), enough to share the cost of a column.
CHUNK_RECORDS: Final = 250

JOURNAL: Final = "journal"
LEDGER: Final = "ledger"
REJECTS: Final = "rejects"


class StoreOfOtherBooks(StoreError):  # noqa: N818 - named after what happened, as facts are
    """The tables were filled from other books than those given."""


class Projected(msgspec.Struct, frozen=True):
    """What one projection brought in: journal lines, postings and rejects read, counted from its own start."""

    facts: int = 0
    postings: int = 0
    rejects: int = 0


class Books(Protocol):
    """The part of the Log port that a projection reads (see books.log)."""

    @property
    def partitions(self) -> int:
        """How many partitions journal and ledger have."""

    def opened(self) -> JournalOpened:
        """The constants of the deployment."""

    def read_journal(self, partition: int, start: int = 0) -> Iterator[tuple[int, JournalPage]]:
        """The pages from a position on, each with the position after it."""

    def read_ledger(self, edition: str, partition: int, start: int = 0) -> Iterator[tuple[int, list[Posting]]]:
        """The postings from a position on, in batches, each with the position after it."""

    def read_rejects(self, start: int = 0) -> Iterator[tuple[int, list[Reject]]]:
        """The rejects from a position on, in batches, each with the position after it."""


class _Key(msgspec.Struct, frozen=True):
    edition: str
    partition: int
    book: str


class _Marker(msgspec.Struct, frozen=True):
    position: int = 0
    records: int = 0


def project(
    books: Books,
    store: Store,
    edition: str = FIRST_EDITION,
    on_progress: Callable[[Projected], None] | None = None,
    *,
    batch_rows: int = BATCH_ROWS,
) -> Projected:
    """Bring the tables up to what the books hold now, and return what was new.

    The store must be migrated. May be cut short anywhere, run again, or run beside another: no answer changes by it.
    `on_progress` is called every few hundred records with what this call has read so far.

    Raises:
        StoreOfOtherBooks: the tables hold other books.
        StoreError: ClickHouse failed; call again when it is well.
        BooksError: the books cannot be read.
    """
    _require_same_books(books.opened(), store)
    # Before the markers: who finds them level with the books does not come here again, and without it sees nothing.
    if not store.rows("SELECT 1 AS there FROM tallybook_rows.current_edition"):
        insert_rows(store, "current_edition", {"pointer": [1], "edition": [edition], "version": [1]})
    projection = _Projection(books, store, edition, on_progress, batch_rows)
    # The ledger before the journal: when a tick of the journal comes in, the work due by then is in already.
    projection.ledger()
    projection.journal()
    projection.rejects()
    return projection.done


class _Projection:
    def __init__(
        self,
        books: Books,
        store: Store,
        edition: str,
        on_progress: Callable[[Projected], None] | None,
        batch_rows: int,
    ) -> None:
        self._books = books
        self._store = store
        self._edition = edition
        self._on_progress = on_progress
        self._batch_rows = batch_rows
        self._chunk = min(CHUNK_RECORDS, batch_rows)
        self._markers = _markers(store)
        self._moved: dict[_Key, _Marker] = {}
        self._gathered: dict[str, Gathered] = {}
        self.done = Projected()

    def journal(self) -> None:
        """Project the journal."""
        rows = JournalRows()
        for partition in range(self._books.partitions):
            key = _Key("", partition, JOURNAL)
            for position, page in self._books.read_journal(partition, self._start(key)):
                rows.add(partition, page)
                self._move(key, position, len(page.lines))
                if rows.lines >= self._chunk:
                    self._gather(rows.take())
        self._gather(rows.take())
        self._insert()

    def ledger(self) -> None:
        """Project this edition of the ledger."""
        partitions: list[int] = []
        postings: list[Posting] = []
        for partition in range(self._books.partitions):
            key = _Key(self._edition, partition, LEDGER)
            for position, block in self._books.read_ledger(self._edition, partition, self._start(key)):
                partitions.extend([partition] * len(block))
                postings.extend(block)
                self._move(key, position, len(block))
                if len(postings) >= self._chunk:
                    self._gather(posting_rows(self._edition, partitions, postings))
                    partitions, postings = [], []
        self._gather(posting_rows(self._edition, partitions, postings))
        self._insert()

    def rejects(self) -> None:
        """Project the rejects."""
        key = _Key("", 0, REJECTS)
        for position, block in self._books.read_rejects(self._start(key)):
            self._move(key, position, len(block))
            self._gather(reject_rows(block))
        self._insert()

    def _start(self, key: _Key) -> int:
        return self._markers.get(key, _Marker()).position

    def _move(self, key: _Key, position: int, records: int) -> None:
        marker = _Marker(position, self._markers.get(key, _Marker()).records + records)
        self._markers[key] = self._moved[key] = marker
        done = self.done
        if key.book == JOURNAL:
            self.done = Projected(done.facts + records, done.postings, done.rejects)
        elif key.book == LEDGER:
            self.done = Projected(done.facts, done.postings + records, done.rejects)
        else:
            self.done = Projected(done.facts, done.postings, done.rejects + records)

    def _gather(self, tables: Mapping[str, Columns]) -> None:
        """Take in the rows of all records moved past since the last call; insert once there are enough."""
        rows = 0
        for table, columns in tables.items():
            gathered = self._gathered.get(table)
            if gathered is None:
                gathered = self._gathered[table] = self._store.gather(table)
            gathered.extend(columns)
            rows += gathered.rows
        if rows >= self._batch_rows:
            self._insert()
        if self._on_progress is not None:
            self._on_progress(self.done)

    def _insert(self) -> None:
        """Insert what is gathered, in the order of the tables, then the markers of all that it completes."""
        tables, self._gathered = self._gathered, {}
        for gathered in tables.values():
            self._store.insert(gathered)
        moved, self._moved = self._moved, {}
        insert_rows(
            self._store,
            "progress",
            {
                "edition": [key.edition for key in moved],
                "partition": [key.partition for key in moved],
                "book": [key.book for key in moved],
                "position": [marker.position for marker in moved.values()],
                "records": [marker.records for marker in moved.values()],
            },
        )


def _markers(store: Store) -> dict[_Key, _Marker]:
    query = "SELECT edition, partition, book, position, records FROM tallybook_rows.progress FINAL"
    markers: dict[_Key, _Marker] = {}
    for row in store.rows(query):
        key = msgspec.convert({name: row[name] for name in ("edition", "partition", "book")}, _Key)
        markers[key] = msgspec.convert({name: row[name] for name in ("position", "records")}, _Marker)
    return markers


def _require_same_books(opened: JournalOpened, store: Store) -> None:
    """Remember the books that these tables come from, or refuse other ones."""
    query = "SELECT deployment, generation, partitions, toUnixTimestamp64Milli(opened_at) AS opened_at FROM "
    given = {
        "deployment": opened.deployment,
        "generation": opened.generation,
        "partitions": opened.partitions,
        "opened_at": opened.opened_at,
    }
    for known in store.rows(query + "tallybook_rows.journals FINAL"):
        if known != given:
            raise StoreOfOtherBooks(
                f"the ClickHouse folder was filled from the books of {known['deployment']!r} (opened at "
                f"{format_instant(int(str(known['opened_at'])))}), not of {opened.deployment!r} (opened at "
                f"{format_instant(opened.opened_at)}). It holds nothing but copies: delete the folder clickhouse/ and "
                "run any reading command."
            )
    insert_rows(store, "journals", {name: [value] for name, value in given.items()})
