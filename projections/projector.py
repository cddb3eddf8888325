"""Fills the tables of ClickHouse from the committed books: the rows first, then the marker of how far they go.

The records are passed on as the Avro that they are, and ClickHouse makes rows of them. Nothing here asks whether a row
is already there: each row has an identity, so a second copy of it changes nothing. The marker only saves reading the
books from their beginning.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from books.encoded_blocks import EncodedBlock, lines_of
from books.log import BookBlocks
from projections.store import JOURNAL, LEDGER, REJECTS, TABLES, Row, Store, StoreError, renewal
from projections.zone_changes import zone_rows
from schemas.facts import JournalOpened
from schemas.instants import format_instant

# Bytes of a book that are inserted at once, some 95,000 postings or 300,000 lines: large enough for an efficient part
# of a table, small enough for the memory (ClickHouse holds three times as much while it makes rows of them).
BATCH_BYTES: Final = 32 << 20


class StoreOfOtherBooks(StoreError):
    """The tables were filled from other books than those given."""


class Projected(msgspec.Struct, frozen=True):
    """What one projection brought in: journal lines, postings and rejects read, counted from its own start."""

    facts: int = 0
    postings: int = 0
    rejects: int = 0


_REJECTS_PARTITION: Final = 0  # they have but one
_JOURNALS: Final = (
    "SELECT deployment, generation, partitions, toUnixTimestamp64Milli(opened_at) AS opened_at "
    "FROM tallybook_rows.journals FINAL"
)

OnProgress = Callable[[Projected], None]


class _Key(msgspec.Struct, frozen=True):
    edition: str
    partition: int
    book: str


class _Marker(msgspec.Struct, frozen=True):
    position: int = 0
    records: int = 0


class _Assigned(msgspec.Struct, frozen=True):
    """The partitions of journal and ledger, and of the rejects, that a projector brings in."""

    partitions: tuple[int, ...]
    rejects: tuple[int, ...]


def project(
    books: BookBlocks,
    store: Store,
    edition: str,
    on_progress: OnProgress | None = None,
    *,
    batch_bytes: int = BATCH_BYTES,
) -> Projected:
    """Bring the tables up to what the books hold now, once; to do so repeatedly, use Projector."""
    return Projector(books, store, edition, batch_bytes=batch_bytes).project(on_progress)


class Projector:
    """Brings the tables up to what the books hold, each time `project` is called.

    It remembers how far it came, so a call that finds nothing new does not query the store. The store must be migrated.
    To include later commits, refresh the books before each call.

    Several projectors may fill the same tables, each with some of the partitions. For other partitions make a new one,
    which reads from the tables how far each of them is; it does no harm if an older one still has them too.
    """

    def __init__(
        self,
        books: BookBlocks,
        store: Store,
        edition: str,
        *,
        batch_bytes: int = BATCH_BYTES,
        partitions: Sequence[int] | None = None,
        rejects: bool = True,
    ) -> None:
        """Make one for some partitions.

        Args:
            batch_bytes: of a book, that go in at once.
            partitions: of journal and ledger, from 0; None: all that the books have.
            rejects: whether the rejects are brought in too.

        Raises:
            AssertionError: the books have no such partition.
        """
        if partitions is not None and not set(partitions) <= set(range(books.partitions)):
            raise AssertionError(f"partitions {sorted(partitions)} are asked for of books with {books.partitions}")
        self._partitions = partitions
        self._rejects = rejects
        self._books = books
        self._store = store
        self._edition = edition
        self._batch_bytes = batch_bytes
        self._markers: dict[_Key, _Marker] | None = None

    def project(self, on_progress: OnProgress | None = None) -> Projected:
        """Bring the tables up to what the books hold now, and return what was new.

        May be cut short anywhere, called again, or run beside another: no answer changes by it. `on_progress` is
        called after every batch with what this call has brought in so far.

        Raises:
            StoreOfOtherBooks: the tables hold other books.
            StoreError: ClickHouse failed; call again when it is well.
            BooksError: the books cannot be read.
        """
        markers, self._markers = self._markers, None  # after an error they are asked for again
        known = self._markers_now(markers)
        batches = _Batches(
            self._books, self._store, self._edition, self._assigned(), markers=known, on_progress=on_progress
        )
        # The ledger before the journal: when a tick of the journal comes in, the work due by then is in already.
        for book in (LEDGER, JOURNAL, REJECTS):
            batches.take(book, self._batch_bytes)
        batches.mark()
        self._markers = batches.markers
        return batches.done

    def _assigned(self) -> _Assigned:
        partitions = range(self._books.partitions) if self._partitions is None else sorted(set(self._partitions))
        return _Assigned(tuple(partitions), (_REJECTS_PARTITION,) if self._rejects else ())

    def _markers_now(self, remembered: dict[_Key, _Marker] | None) -> dict[_Key, _Marker]:
        if remembered is not None:
            return remembered
        require_same_books(self._books.opened(), self._store)
        # Before any marker is read: later calls do not come here again, and without this row readers see nothing.
        if not self._store.rows("SELECT 1 AS there FROM tallybook_rows.current_edition"):
            self._store.insert("current_edition", {"pointer": [1], "edition": [self._edition], "version": [1]})
        return self._with_zones(_markers(self._store))

    def _with_zones(self, markers: dict[_Key, _Marker]) -> dict[_Key, _Marker]:
        """The markers, without those of the journal if an earlier version took in publications without their zones."""
        known = [
            self._store.rows(f"SELECT 1 AS there FROM tallybook_rows.{table} LIMIT 1")
            for table in ("rulesets", "zone_changes")
        ]
        if not known[0] or known[1]:
            return markers
        return {key: marker for key, marker in markers.items() if key.book != JOURNAL}


class _Batches:
    """Reads the books for one call, and gathers blocks until they are large enough for an insert."""

    def __init__(
        self,
        books: BookBlocks,
        store: Store,
        edition: str,
        assigned: _Assigned,
        *,
        markers: dict[_Key, _Marker],
        on_progress: OnProgress | None,
    ) -> None:
        self.markers = markers
        self.done = Projected()
        self._books = books
        self._store = store
        self._edition = edition
        self._assigned = assigned
        self._on_progress = on_progress
        self._moved: dict[_Key, _Marker] = {}

    def take(self, book: str, batch_bytes: int) -> None:
        """Insert what is new of a book; `mark` notes the rest that did not fill a batch."""
        pieces: list[tuple[int, EncodedBlock]] = []
        gathered = 0
        for partition, block in self._blocks(book):
            pieces.append((partition, block))
            gathered += len(block.data)
            if gathered >= batch_bytes:
                self._insert(book, pieces)
                self.mark()
                pieces, gathered = [], 0
        if pieces:
            self._insert(book, pieces)

    def mark(self) -> None:
        """Write markers for all that was inserted."""
        if self._moved:
            moved, self._moved = self._moved, {}
            columns: dict[str, list[object]] = {
                "edition": [key.edition for key in moved],
                "partition": [key.partition for key in moved],
                "book": [key.book for key in moved],
                "position": [marker.position for marker in moved.values()],
                "records": [marker.records for marker in moved.values()],
            }
            self._store.insert("progress", columns)

    def _blocks(self, book: str) -> Iterator[tuple[int, EncodedBlock]]:
        for partition in self._assigned.rejects if book == REJECTS else self._assigned.partitions:
            start = self.markers.get(self._key(book, partition), _Marker()).position
            if book == LEDGER:
                blocks = self._books.ledger_blocks(self._edition, partition, start)
            elif book == JOURNAL:
                blocks = self._books.journal_blocks(partition, start)
            else:
                blocks = self._books.reject_blocks(start)
            for block in blocks:
                yield partition, block

    def _key(self, book: str, partition: int) -> _Key:
        return _Key(self._edition if book == LEDGER else "", partition, book)

    def _insert(self, book: str, pieces: list[tuple[int, EncodedBlock]]) -> None:
        """Insert the rows of these blocks, table by table."""
        zones = zone_rows(pieces) if book == JOURNAL else None
        if zones is not None:
            self._store.insert("zone_changes", zones)
        staged = self._store.stage(book, pieces)
        try:
            for table in TABLES[book]:
                self._store.insert_staged(staged, table, self._edition, self._books.partitions)
        finally:
            self._store.unstage(staged)
        for partition, block in pieces:
            self._move(self._key(book, partition), block)
        if self._on_progress is not None:
            self._on_progress(self.done)

    def _move(self, key: _Key, block: EncodedBlock) -> None:
        records = lines_of(block.data) if key.book == JOURNAL else block.records
        self.markers[key] = _Marker(block.end, self.markers.get(key, _Marker()).records + records)
        self._moved[key] = self.markers[key]
        facts, postings, rejects = self.done.facts, self.done.postings, self.done.rejects
        if key.book == JOURNAL:
            facts += records
        elif key.book == LEDGER:
            postings += records
        else:
            rejects += records
        self.done = Projected(facts, postings, rejects)


def marker_positions(store: Store, edition: str) -> dict[tuple[str, int], int]:
    """Up to which position each book and partition that is begun is in the tables. Raises StoreError."""
    return {
        (key.book, key.partition): marker.position
        for key, marker in _markers(store).items()
        if key.edition == (edition if key.book == LEDGER else "")
    }


def _markers(store: Store) -> dict[_Key, _Marker]:
    query = "SELECT edition, partition, book, position, records FROM tallybook_rows.progress FINAL"
    markers: dict[_Key, _Marker] = {}
    for row in store.rows(query):
        key = msgspec.convert({name: row[name] for name in ("edition", "partition", "book")}, _Key)
        markers[key] = msgspec.convert({name: row[name] for name in ("position", "records")}, _Marker)
    return markers


def other_books(opened: JournalOpened, store: Store) -> list[Row]:
    """The books that the tables were filled from and that are not those opened so; none for empty tables."""
    return [known for known in store.rows(_JOURNALS) if known != _row_of(opened)]


def require_same_books(opened: JournalOpened, store: Store) -> None:
    """Remember the books that these tables come from, or refuse other ones. Raises StoreOfOtherBooks."""
    if not store.rows(_JOURNALS):
        # What stands there is queried below, as a projector of other books may have found nothing at the same time.
        store.insert("journals", {name: [value] for name, value in _row_of(opened).items()})
    for known in other_books(opened, store):
        raise StoreOfOtherBooks(
            f"the tables of ClickHouse were filled from the books of {known['deployment']!r} (opened at "
            f"{format_instant(int(str(known['opened_at'])))}), not of {opened.deployment!r} (opened at "
            f"{format_instant(opened.opened_at)}). They hold nothing but copies: {renewal(store)}."
        )


def _row_of(opened: JournalOpened) -> Row:
    return {name: getattr(opened, name) for name in ("deployment", "generation", "partitions", "opened_at")}
