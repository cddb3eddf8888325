"""Projectors beside the run: slow, cut short, outdated, with inserts that arrive twice, late, or after newer ones."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

from books.errors import NoSuchPosition
from books.files.reader import FileLogReader
from projections.projector import Projector
from projections.store import JOURNAL, LEDGER, REJECTS, TABLES, Columns, Pieces, QueryFailed, Row, Staged
from schemas.posting import FIRST_EDITION
from tests.fakes.store import FakeStore, rows_of
from tests.reference.rows import plain_rows
from tests.simulation.disk import SimulatedDisk
from tests.support.whole_books import require

BATCHES: Final = (200, 2_000, 1 << 20)
MAX_PROJECTORS: Final = 2


class Stopped(Exception):
    """The projecting process died."""


class TroubledStore(FakeStore):
    """Between a client and its store anything can happen to an insert; what timed out may still come in, much later."""

    def __init__(self, rng: Random, seen: Counter[str]) -> None:
        super().__init__()
        self.rng = rng
        self.seen = seen
        self.trouble = 0.0
        self.on_the_way: list[tuple[str, list[Row]]] = []

    def insert(self, table: str, columns: Columns) -> None:
        """See Store."""
        self._arrive("marker" if table == "progress" else "note", table, rows_of(columns))

    def insert_staged(self, staged: Staged, table: str, edition: str, partitions: int) -> None:
        """See Store."""
        rows = self.staged_rows(staged, table, edition, partitions)
        if rows:
            self._arrive("insert", table, rows)

    def come_in(self, odds: float = 1.0) -> None:
        """Inserts that were given up come in after all, in any order."""
        self.rng.shuffle(self.on_the_way)
        late = [item for item in self.on_the_way if self.rng.random() < odds]
        self.on_the_way = [item for item in self.on_the_way if item not in late]
        for table, rows in late:
            self.seen["late markers" if table == "progress" else "late inserts"] += 1
            self.put(table, rows)

    def _arrive(self, kind: str, table: str, rows: list[Row]) -> None:
        choice = self.rng.random() / self.trouble if self.trouble else 1.0
        if choice < 0.3:
            self.seen[f"projector died before {kind}"] += 1
            raise Stopped
        if choice < 0.6:
            self.on_the_way.append((table, rows))
            raise QueryFailed("timed out")
        self.put(table, rows)
        if choice < 0.8:
            self.put(table, rows)
            self.seen["inserts made twice"] += 1
        elif choice < 1.0:
            self.seen[f"projector died after {kind}"] += 1
            raise Stopped


class Projecting:
    """The projectors of a run, and the tables that they fill."""

    def __init__(self, disk: SimulatedDisk, shop: Path, rng: Random, seen: Counter[str]) -> None:
        self.disk = disk
        self.shop = shop
        self.rng = rng
        self.seen = seen
        self.store = TroubledStore(rng, seen)
        self.store.trouble = rng.choice((0.0, 0.05, 0.2))
        self._projectors: list[tuple[FileLogReader, Projector]] = []

    def work(self) -> None:
        """One of the projectors does its work, or a new one; it may be behind, or die on the way."""
        if (len(self._projectors) < MAX_PROJECTORS and self.rng.random() < 0.5) or not self._projectors:
            reader = FileLogReader(self.shop, files=self.disk)
            batch = self.rng.choice(BATCHES)
            self._projectors.append((reader, Projector(reader, self.store, FIRST_EDITION, batch_bytes=batch)))
            self.seen["projectors started"] += 1
        working = self.rng.choice(self._projectors)
        is_behind = self.rng.random() < 0.2
        if not is_behind:
            working[0].refresh()
        else:
            self.seen["projections by one who is behind"] += 1
        try:
            working[1].project()
        except Stopped:
            self._projectors.remove(working)
        except QueryFailed:
            self.seen["inserts given up"] += 1
        except NoSuchPosition:
            require(is_behind, "the tables are never ahead of the books")
            self.seen["projectors refused who are behind the tables"] += 1
        self.seen["projections"] += 1
        self.store.come_in(0.3)

    def end(self, books: FileLogReader) -> None:
        """Brought level once more, the tables hold what a fresh projection of the same books makes."""
        self.store.trouble = 0.0
        if self.rng.random() < 0.5:
            self.store.come_in()
        Projector(books, self.store, FIRST_EDITION).project()
        self.store.come_in()
        fresh = FakeStore()
        for book, pieces in pieces_of(books):
            for table, rows in plain_rows(book, pieces, FIRST_EDITION).items():
                fresh.put(table, rows)
        for table in [table for tables in TABLES.values() for table in tables]:
            same = self.store.tables[table] == fresh.tables[table]
            require(same, "the tables hold the rows of the books, each once", table=table)
        found = {(row["book"], row["partition"]): row["records"] for row in self.store.tables["progress"].values()}
        require(found == records_of(books), "the markers count the records", found=found)


def records_of(books: FileLogReader) -> dict[tuple[object, object], int]:
    """How many records each part of the books has, where it has any."""
    found: dict[tuple[object, object], int] = {}
    for partition in range(books.partitions):
        found[JOURNAL, partition] = sum(len(page.lines) for _, page in books.read_journal(partition))
        found[LEDGER, partition] = sum(len(batch) for _, batch in books.read_ledger(FIRST_EDITION, partition))
    found[REJECTS, 0] = sum(len(batch) for _, batch in books.read_rejects())
    return {part: records for part, records in found.items() if records}


def pieces_of(books: FileLogReader) -> Iterator[tuple[str, Pieces]]:
    """All blocks of the books."""
    partitions = range(books.partitions)
    yield JOURNAL, [(partition, block) for partition in partitions for block in books.journal_blocks(partition)]
    yield (
        LEDGER,
        [(partition, block) for partition in partitions for block in books.ledger_blocks(FIRST_EDITION, partition)],
    )
    yield REJECTS, [(0, block) for block in books.reject_blocks()]
