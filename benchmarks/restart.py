"""How long a start takes before the first fact: books of many members, opened with snapshots and without.

    python -m benchmarks.restart [--members N] [--visits N] [--markdown]

A member comes `--visits` times, then the books are opened by one fresh process with the snapshots of all partitions,
and by another that reads journal and ledger from the first page on.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from benchmarks.fresh import measured_apart, resident_bytes
from benchmarks.regulars import HORIZON_MS, member_ids, publication, visit
from benchmarks.report import table, versions, write_block
from processors.embedded.rounds import Taken
from schemas.bounds import DAY_MS
from schemas.facts import PublishedFact
from tallybook.demo.year import DEMO_YEAR_STARTS_AT
from tallybook.folder.defaults import DEFAULT_PARTITIONS
from tallybook.folder.folder import Folder
from tallybook.folder.recovered_partitions import RecoveredPartitions
from tallybook.folder.session import writing_session
from tallybook.garbage_collection import collect_seldom

DEFAULT_MEMBERS: Final = 20_000
DEFAULT_VISITS: Final = 5
ROUND_FACTS: Final = 10_000
DAYS_BETWEEN_VISITS: Final = 6
HEADS: Final = ("opened", "members", "facts", "seconds", "CPU s", "µs CPU a member", "MB resident")


class Opened(NamedTuple):
    """One start: members found, seconds on the wall and of CPU, resident bytes."""

    members: int
    seconds: float
    cpu: float
    resident: int


def make_books(root: str, members: int, visits: int) -> int:
    """Books in a fresh folder, with snapshots; the number of facts."""
    collect_seldom()
    folder, ids, random = Folder(Path(root)), member_ids(members), Random(7)
    folder.create("restart", DEFAULT_PARTITIONS, HORIZON_MS // DAY_MS, DEMO_YEAR_STARTS_AT)
    taken = 0
    with writing_session(folder, DEMO_YEAR_STARTS_AT) as session:
        session.rounds.publish(publication(), DEMO_YEAR_STARTS_AT)
        for number in range(visits):
            day_at = DEMO_YEAR_STARTS_AT + number * DAYS_BETWEEN_VISITS * DAY_MS
            for first in range(0, members, ROUND_FACTS):
                some = ids[first : first + ROUND_FACTS]
                facts: list[PublishedFact] = [
                    visit(random, member_id, number, day_at + (first + place) * DAY_MS // members)
                    for place, member_id in enumerate(some)
                ]
                taken += len(facts)
                tick_at = facts[-1].occurred_at
                session.rounds.take([Taken(fact, "f" * 64, 1) for fact in facts], tick_at, tick_at)
                session.rounds.commit([])
        session.keep_snapshots()
    return taken


def open_books(root: str) -> Opened:
    """Bring scorers to the end of the books, as every start does."""
    collect_seldom()
    folder = Folder(Path(root))
    before, started, cpu = resident_bytes(), time.perf_counter(), time.process_time()
    with folder.writing(DEMO_YEAR_STARTS_AT) as log:
        scorers = RecoveredPartitions(folder, log, range(log.partitions)).group.scorers
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        members = sum(len(scorer.machine.accounts) for scorer in scorers)
        return Opened(members, seconds, cpu, resident_bytes() - before)


def row_of(how: str, facts: int, start: Opened) -> list[str]:
    """A line of the table."""
    return [
        how,
        f"{start.members:,}",
        f"{facts:,}",
        f"{start.seconds:.2f}",
        f"{start.cpu:.2f}",
        f"{start.cpu / start.members * 1e6:.1f}",
        f"{start.resident / 1e6:,.0f}",
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Make books, open them both ways, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.restart", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--members", type=int, default=DEFAULT_MEMBERS)
    parser.add_argument("--visits", type=int, default=DEFAULT_VISITS, help="facts of each member")
    parser.add_argument("--markdown", action="store_true", help="write the table into docs/benchmarks.md")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        root = str(Path(place) / "programme")
        facts = measured_apart(make_books, root, given.members, given.visits)
        with_snapshots = measured_apart(open_books, root)
        snapshots = Folder(Path(root)).snapshots
        snapshots.rename(snapshots.with_name("away"))
        without = measured_apart(open_books, root)
    ratio = without.cpu / with_snapshots.cpu
    rows = [row_of("with snapshots", facts, with_snapshots), row_of("without", facts, without)]
    lines = [*table(HEADS, rows), "", f"A snapshot saves {1 - 1 / ratio:.0%} of a start's CPU ({ratio:.1f} times).", ""]
    lines.append(versions())
    print("\n".join(lines))
    if given.markdown:
        write_block("restart", lines)
    return 0 if with_snapshots.members == without.members == given.members else 1


if __name__ == "__main__":
    sys.exit(main())
