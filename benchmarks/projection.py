"""What it costs to bring a demo year into ClickHouse: CPU per posting, piece by piece, and a call that brings a few.

    python -m benchmarks.projection [--facts 60000] [--repeats 3] [--calls 30] [--write]

Makes the books in a temporary folder and projects them into a fresh embedded ClickHouse, REPEATS times; each piece is
the best of these, in microseconds of CPU per posting, all threads of ClickHouse included. Beside it stands what a
projection that decodes would pay before it has made a single row. Then small calls: the same books grow by about 100
postings a call, as under `run --follow`. `--write` puts the tables into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.demo_books import import_year, write_inbox
from benchmarks.report import table, versions, write_block
from benchmarks.timing import Timings, cpu_seconds
from books.encoded_blocks import EncodedBlock
from books.log import LogReader
from projections.clickhouse.client import open_chdb
from projections.clickhouse.migrate import migrate
from projections.projector import Projector, project
from projections.store import LEDGER, TABLES, Columns, Pieces, Staged, Store
from schemas.avro.codecs import encode_record
from schemas.facts import JournalOpened
from schemas.posting import FIRST_EDITION

BLOCK: Final = "projection"
TARGET: Final = 10.0
WHOLE: Final = "whole projection"
STAGE: Final = "take in as Avro: "
ROWS: Final = "rows of "
MARKS: Final = "markers"
REST: Final = "read the books, put batches together, and the rest"
OF_LEDGER: Final = {LEDGER, *TABLES[LEDGER]}
DECODE: Final = "for comparison: decode both books in Python, and no row made"
SMALL_POSTINGS: Final = 100


class Timed:
    """A store that notes the CPU of each step of a projection."""

    def __init__(self, store: Store) -> None:
        self.spent: dict[str, float] = {}
        self._store = store
        self.command, self.rows, self.export = store.command, store.rows, store.export
        self.unstage, self.close = store.unstage, store.close

    def stage(self, book: str, pieces: Pieces) -> Staged:
        """See Store; noted by book."""
        with self._noted(f"{STAGE}{book}"):
            return self._store.stage(book, pieces)

    def insert_staged(self, staged: Staged, table: str, edition: str, partitions: int) -> None:
        """See Store; noted by table."""
        with self._noted(f"{ROWS}{table}"):
            self._store.insert_staged(staged, table, edition, partitions)

    def insert(self, table: str, columns: Columns) -> None:
        """See Store; these are the markers."""
        with self._noted(MARKS):
            self._store.insert(table, columns)

    @contextmanager
    def _noted(self, name: str) -> Iterator[None]:
        before = cpu_seconds()
        yield
        self.spent[name] = self.spent.get(name, 0.0) + cpu_seconds() - before


class GrowingBooks:
    """The ledger of other books up to so many postings a partition, `seen`, and nothing else: books that grow."""

    def __init__(self, log: LogReader) -> None:
        self.seen = 0
        self._opened = log.opened()
        self._postings = [
            [posting for _, batch in log.read_ledger(FIRST_EDITION, partition) for posting in batch]
            for partition in range(log.partitions)
        ]

    @property
    def partitions(self) -> int:
        """As the other books have."""
        return len(self._postings)

    def opened(self) -> JournalOpened:
        """As the other books were."""
        return self._opened

    def journal_blocks(self, partition: int, start: int = 0) -> Iterator[EncodedBlock]:
        """Nothing."""
        del partition, start
        return iter(())

    def reject_blocks(self, start: int = 0) -> Iterator[EncodedBlock]:
        """Nothing."""
        del start
        return iter(())

    def ledger_blocks(self, edition: str, partition: int, start: int = 0) -> Iterator[EncodedBlock]:
        """The postings from number `start` + 1 on that are to be seen, as one block."""
        del edition
        new = self._postings[partition][start : self.seen]
        if new:
            yield EncodedBlock(start + len(new), len(new), b"".join(map(encode_record, new)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and with --write keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facts", type=int, default=60_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--calls", type=int, default=30)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args(arguments)
    with TemporaryDirectory() as place:
        folder, _ = import_year(Path(place) / "books", write_inbox(Path(place), given.facts))
        times = Timings()
        with folder.reading() as log:
            for number in range(given.repeats):
                _project(log, times, Path(place) / f"clickhouse{number}")
                _compare(log, times)
            small = _small_calls(log, Path(place) / "small", given.calls)
    lines = [versions(), "", *_pieces(times), "", *small]
    print("\n".join(lines))
    if given.write:
        write_block(BLOCK, lines)
    return 0


def _project(log: LogReader, times: Timings, path: Path) -> None:
    """One whole projection into a fresh store, and its pieces."""
    with open_chdb(path) as store:
        migrate(store)
        timed = Timed(store)
        before = cpu_seconds()
        done = project(log, timed, FIRST_EDITION)
        whole = cpu_seconds() - before
    times.note(WHOLE, whole, done.postings)
    for name, seconds in timed.spent.items():
        times.note(name, seconds, done.postings)
    times.note(REST, whole - sum(timed.spent.values()), done.postings)


def _compare(log: LogReader, times: Timings) -> None:
    """Time what a projection does without: decoding both books into Python values."""
    with times.piece(DECODE) as handled:
        for partition in range(log.partitions):
            handled.extend(len(batch) for _, batch in log.read_ledger(FIRST_EDITION, partition))
            for _ in log.read_journal(partition):
                pass


def _pieces(times: Timings) -> list[str]:
    postings = times.counts[WHOLE]
    names = sorted(times.seconds.keys() - {WHOLE, DECODE}, key=lambda name: -times.seconds[name])
    ledger = sum(times.micros(name) for name in names if name.removeprefix(STAGE).removeprefix(ROWS) in OF_LEDGER)
    rows = [[name, f"{times.micros(name):.2f}"] for name in names]
    rows.append(["of these, the ledger alone", f"{ledger:.2f}"])
    rows.append([f"{WHOLE} (to reach: {TARGET:.0f})", f"{times.micros(WHOLE):.2f}"])
    rows.append([DECODE, f"{times.micros(DECODE):.2f}"])
    return table([f"CPU of all threads, {postings:,} postings", "µs per posting"], rows)


def _small_calls(log: LogReader, path: Path, calls: int) -> list[str]:
    """Calls that each find a few postings more, with merges running beside them, as under `run --follow`."""
    books = GrowingBooks(log)
    wall: list[float] = []
    with open_chdb(path) as store:
        migrate(store)
        projector = Projector(books, store, FIRST_EDITION)
        projector.project()
        before = cpu_seconds()
        for _ in range(calls):
            books.seen += max(1, SMALL_POSTINGS // books.partitions)
            started = time.perf_counter()
            projector.project()
            wall.append(time.perf_counter() - started)
        cpu = (cpu_seconds() - before) / calls
        idle = time.perf_counter()
        projector.project()
        idle = time.perf_counter() - idle
        (parts,) = store.rows("SELECT count() AS parts FROM system.parts WHERE active AND database = 'tallybook_rows'")
    heads = [f"one call that brings {SMALL_POSTINGS} postings, {calls} of them in a row", ""]
    return table(
        heads,
        [
            ["CPU, merges of parts included, ms", f"{cpu * 1000:.0f}"],
            ["on the wall, median, ms", f"{statistics.median(wall) * 1000:.0f}"],
            ["on the wall, longest, ms", f"{max(wall) * 1000:.0f}"],
            ["a call that finds nothing new, ms", f"{idle * 1000:.1f}"],
            ["parts of all tables afterwards", str(parts["parts"])],
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
