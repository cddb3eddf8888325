"""What the embedded path costs per fact, piece by piece, beside peers that do the same work in the same run.

    python -m benchmarks.embedded [--facts N] [--repeats R] [--json FILE] [--markdown] [--profile]

Everything is CPU time of whole passes over the demo's year, the best of R; pieces and peers take turns.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml

from benchmarks.demo_books import DemoBooks, import_year, read_books, write_inbox
from benchmarks.passes import LedgerPass, LibraryPass, LoopPass, ReferencePass
from benchmarks.profiling import profile_lines
from benchmarks.report import table, versions, write_block
from benchmarks.timing import Timings, take_turns
from benchmarks.whole_path import measure_apart
from tallybook.garbage_collection import collect_seldom

DEFAULT_FACTS: Final = 20_000
DEFAULT_REPEATS: Final = 5
REFERENCE_REPEATS: Final = 1  # it takes more than ten times as long as the others
# What was set out to be reached: microseconds of CPU per fact, and how many times faster than the plain loop.
TARGET_FOLD: Final = 8.0
TARGET_PATH: Final = 30.0
TARGET_PROJECTION: Final = 10.0
TARGET_RATIO: Final = 3.0

Row = tuple[str, str, str, str, str]


class Embedded:
    """One run of all passes, and the tables that come of it."""

    def __init__(self, facts: int, repeats: int) -> None:
        self.facts = facts
        self.repeats = repeats
        self.times = Timings()
        self.notes: list[str] = []

    def run(self, place: Path) -> None:
        """Make the books, then let every pass have its turns."""
        file = write_inbox(place, self.facts)
        folder, _ = import_year(place / "folder", file)
        books = read_books(folder)
        ledger, loop = LedgerPass(books, self.times), LoopPass(books, self.times)
        library, reference = LibraryPass(books, self.times), ReferencePass(books, self.times)
        take_turns([ledger.run, loop.run, library.run, lambda: self._whole(file, books)], self.repeats)
        take_turns([reference.run, ledger.run], REFERENCE_REPEATS)
        self._describe(books, ledger, loop)

    def rows(self) -> list[Row]:
        """The pieces, then the peers."""
        us = self.times.micros
        fold, path, loop = us("fold"), us("path"), us("loop")
        return [
            self._row("decode: journal pages to facts", "decode"),
            self._row("decide + apply", "fold", TARGET_FOLD),
            self._row("encode: facts to pages, postings to blocks", "encode"),
            self._row("decode + decide + apply + encode", "path", TARGET_PATH),
            self._row("digests of both books", "digests"),
            self._row("import: JSON lines to committed books", "import"),
            self._row("projection into ClickHouse, per posting", "projection", TARGET_PROJECTION),
            self._row("whole path: import and projection", "whole"),
            (
                "(a) reference ledger",
                f"{us('reference'):.1f}",
                f"{us('reference') / fold:.1f} × decide + apply",
                "",
                "",
            ),
            ("(b) fastavro reads the pages", f"{us('read'):.1f}", f"{us('read') / us('decode'):.1f} × decode", "", ""),
            ("(b) fastavro writes both", f"{us('write'):.1f}", f"{us('write') / us('encode'):.1f} × encode", "", ""),
            (
                "(c) plain loop",
                f"{loop:.1f}",
                f"{loop / fold:.1f} × decide + apply",
                *_least(loop / fold, TARGET_RATIO),
            ),
            (
                "(c) with fastavro around it",
                f"{us('loop path'):.1f}",
                f"{us('loop path') / path:.1f} × the four",
                "",
                "",
            ),
        ]

    def lines(self) -> list[str]:
        """The table, what it counts, and where it was measured."""
        heads = ("CPU per fact", "µs", "peer takes", "to reach", "")
        return [*table(heads, self.rows()), "", *self.notes, "", versions()]

    def figures(self) -> dict[str, object]:
        """The same for programs: microseconds by piece."""
        return {
            "facts": self.facts,
            "repeats": self.repeats,
            "micros": {name: round(self.times.micros(name), 3) for name in self.times.seconds},
            "counts": self.times.counts,
            "versions": versions(),
        }

    def _whole(self, file: Path, books: DemoBooks) -> None:
        seconds = measure_apart(file)
        self.times.note("import", seconds["import_seconds"], books.member_lines)
        self.times.note("projection", seconds["project_seconds"], seconds["postings"])
        self.times.note("whole", seconds["import_seconds"] + seconds["project_seconds"], books.member_lines)

    def _row(self, words: str, name: str, target: float | None = None) -> Row:
        micros = self.times.micros(name)
        if target is None:
            return (words, f"{micros:.1f}", "", "", "")
        return (words, f"{micros:.1f}", "", f"≤ {target:g}", "reached" if micros <= target else "not reached")

    def _describe(self, books: DemoBooks, ledger: LedgerPass, loop: LoopPass) -> None:
        rules = yaml.safe_load(books.text)["rules"]
        multipliers = sum(rule["kind"] == "multiplier" for rule in rules)
        same = "the same points in every account" if loop.balances() == ledger.balances() else "OTHER POINTS"
        year = (
            f"{self.facts:,} events of the demo's year under the coffee chain's {len(rules)} rules ({multipliers} of "
            f"them multipliers): {books.member_lines:,} journal lines in members' accounts, by which every figure is "
            f"divided, and {ledger.postings:,} postings. Best of {self.repeats} passes ({REFERENCE_REPEATS} of the "
            f"reference ledger), one process, {self.times.wall_seconds():.0f} s on the wall."
        )
        self.notes = [year, "", f"The plain loop found {same} as Tallybook."]


def _least(ratio: float, target: float) -> tuple[str, str]:
    return f"≥ {target:g} ×", "reached" if ratio >= target else "not reached"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write what was asked for."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--facts", type=int, default=DEFAULT_FACTS, help=f"events of the year ({DEFAULT_FACTS})")
    options.add_argument("--repeats", type=int, default=DEFAULT_REPEATS, help=f"passes each ({DEFAULT_REPEATS})")
    options.add_argument("--json", type=Path, help="write the figures into this file")
    options.add_argument("--markdown", action="store_true", help="write the table into docs/benchmarks.md")
    options.add_argument("--profile", action="store_true", help="print where the time goes instead")
    asked = options.parse_args(arguments)
    collect_seldom()  # as the command line does
    with tempfile.TemporaryDirectory(prefix="tallybook-bench-") as scratch:
        if asked.profile:
            lines, name = profile_lines(Path(scratch), asked.facts), "profile"
        else:
            embedded = Embedded(asked.facts, asked.repeats)
            embedded.run(Path(scratch))
            lines, name = embedded.lines(), "embedded"
            if asked.json is not None:
                asked.json.write_text(json.dumps(embedded.figures(), indent=2) + "\n", encoding="utf-8")
    print("\n".join(lines))
    if asked.markdown:
        write_block(name, lines)


if __name__ == "__main__":
    main()
