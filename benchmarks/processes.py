"""The same books by one, two and three deciding processes: their digests and bytes, and the seconds of each number.

    python -m benchmarks.processes [--real] [--facts N] [--markdown]

The demo's year always, the year of a real grocer with --real (see benchmarks/real.py, whose package it needs). Ends
with 1 if any two books differ in a byte.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.real import prepare, take_year
from benchmarks.report import table, versions, write_block
from schemas.canonical import printed_digest
from tallybook.clock import now_ms
from tallybook.demo.run import PROGRAMME
from tallybook.demo.year import DEMO_YEAR_STARTS_AT, DemoYear, write_demo_year
from tallybook.folder.defaults import DEFAULT_HORIZON_DAYS, DEFAULT_PARTITIONS
from tallybook.folder.folder import Folder
from tallybook.folder.import_files import import_files
from tallybook.garbage_collection import collect_seldom

PROCESSES: Final = (1, 2, 3)
HEADS: Final = ("facts of", "processes", "facts", "seconds", "CPU s here", "CPU s of workers", "journal", "ledger")


class Made(NamedTuple):
    """Books made by so many processes: what they hold, their bytes as one hash, and what the making took."""

    processes: int
    facts: int
    digests: tuple[str, str]
    content: str
    seconds: float
    here: float
    workers: float


def made_by(processes: int, fill: Callable[[Path, int], tuple[Folder, int]], place: Path) -> Made:
    """Make the books once; `fill` imports into a fresh folder and gives the number of facts."""
    before = [resource.getrusage(who).ru_utime for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    started = time.perf_counter()
    folder, facts = fill(place / f"by-{processes}", processes)
    seconds = time.perf_counter() - started
    after = [resource.getrusage(who).ru_utime for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    with folder.reading() as log:
        last = log.committed()
    if last is None:
        raise AssertionError("books in files commit in rounds")
    both = (last.journal_digests, last.ledger_digests)
    journal, ledger = (printed_digest([bytes.fromhex(each) for each in found]) for found in both)
    return Made(
        processes, facts, (journal, ledger), content_of(folder), seconds, after[0] - before[0], after[1] - before[1]
    )


def content_of(folder: Folder) -> str:
    """SHA-256 over all files of journal and ledger, and their names."""
    content = sha256()
    for file in sorted(folder.books.glob("*/*.avro")):
        content.update(f"{file.relative_to(folder.books)}\0".encode())
        content.update(file.read_bytes())
    return content.hexdigest()


def fill_demo(inbox: Path, facts: int) -> Callable[[Path, int], tuple[Folder, int]]:
    """Imports the demo's year, which is written to `inbox` once."""
    inbox.mkdir(exist_ok=True)
    files = [str(file) for file in write_demo_year(inbox, DemoYear(facts, max(10, facts // 30), 7), _tell_nobody)]
    now = now_ms()  # one for all: a publication's line says when it reached the books

    def fill(root: Path, processes: int) -> tuple[Folder, int]:
        folder = Folder(root)
        folder.create("demo", DEFAULT_PARTITIONS, DEFAULT_HORIZON_DAYS, DEMO_YEAR_STARTS_AT)
        folder.copy_ruleset(PROGRAMME)
        return folder, import_files(folder, files, None, now=now, processes=processes).facts

    return fill


def _tell_nobody(_: int = 1) -> None:
    """Progress that is not shown."""


def fill_real(place: Path) -> Callable[[Path, int], tuple[Folder, int]]:
    """Imports the real grocer's year, which is joined once."""
    parquet = place / "baskets.parquet"
    prepare(parquet)
    now = now_ms()

    def fill(root: Path, processes: int) -> tuple[Folder, int]:
        folder, done = take_year(root, parquet, None, processes=processes, now=now)
        return folder, done.facts

    return fill


def rows_of(name: str, all_made: Sequence[Made]) -> list[list[str]]:
    """The table's rows."""
    return [
        [
            name,
            str(made.processes),
            f"{made.facts:,}",
            f"{made.seconds:.1f}",
            f"{made.here:.1f}",
            f"{made.workers:.1f}",
            made.digests[0][:12],
            made.digests[1][:12],
        ]
        for made in all_made
    ]


def main() -> int:
    """Run it all; the exit code is 1 if any two books differ."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--real", action="store_true", help="the real grocer's year too")
    options.add_argument("--facts", type=int, default=60_000, help="of the demo's year")
    options.add_argument("--markdown", action="store_true", help="write the table into docs/benchmarks.md")
    asked = options.parse_args()
    collect_seldom()
    rows: list[list[str]] = []
    differ: list[str] = []
    with tempfile.TemporaryDirectory(prefix="tallybook-processes-") as scratch:
        fills = {"the demo": fill_demo(Path(scratch) / "inbox", asked.facts)}
        if asked.real:
            fills["a real grocer"] = fill_real(Path(scratch))
        for name, fill in fills.items():
            place = Path(scratch) / name.replace(" ", "-")
            place.mkdir()
            all_made = [made_by(processes, fill, place) for processes in PROCESSES]
            rows += rows_of(name, all_made)
            if len({(made.digests, made.content) for made in all_made}) != 1:
                differ.append(name)
    verdict = f"DIFFERENT: {', '.join(differ)}" if differ else "All books of one input are the same, byte for byte."
    lines = [*table(HEADS, rows), "", verdict, "", versions()]
    print("\n".join(lines))
    if asked.markdown:
        write_block("processes", lines)
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
