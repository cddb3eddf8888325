"""What one command costs that ends at once: CPU seconds of a whole process, its start and its end included.

    python -m benchmarks.start [--facts 10000] [--repeats 9] [--markdown]

A demo year is imported and projected into a temporary folder; then the commands take turns, REPEATS times, each in a
process of its own. The CPU is that of the process, all its threads, user and system, as the system tells it to whoever
waits for it. `--markdown` puts the table into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.demo_books import import_year, write_inbox
from benchmarks.report import table, versions, write_block
from tallybook.tables.catch_up import caught_up

BLOCK: Final = "start"
DEFAULT_FACTS: Final = 10_000
DEFAULT_REPEATS: Final = 9
# To start at all, and to open the embedded ClickHouse or to read the books too.
START_SECONDS: Final = 0.25
ANSWER_SECONDS: Final = 0.6
HEADS: Final = ("command", "least CPU s", "median CPU s", "to reach", "")
PROGRAM: Final = "import sys; from tallybook.cli.main import main; sys.argv[0] = 'tallybook'; main()"


def cpu_of(arguments: Sequence[str], root: Path) -> float:
    """CPU seconds of one run of the command in the folder.

    Raises:
        SystemExit: the command failed, so that its time says nothing.
    """
    child = subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.DEVNULL, cwd=root)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)  # it is waited for already
    if child.returncode:
        sys.exit(f"tallybook {' '.join(arguments)} ended with {child.returncode}: nothing to measure")
    return used.ru_utime + used.ru_stime


def commands(member: str) -> list[tuple[tuple[str, ...], float]]:
    """The commands, each with the CPU seconds that it may take."""
    return [
        (("--help",), START_SECONDS),
        (("balance", "--help"), START_SECONDS),
        (("example", "purchase"), START_SECONDS),
        (("rules", "check"), START_SECONDS),
        (("balance", member), ANSWER_SECONDS),
        (("statement", member), ANSWER_SECONDS),
        (("explain", member), ANSWER_SECONDS),
    ]


def row_of(arguments: Sequence[str], seconds: Sequence[float], target: float) -> list[str]:
    """A line of the table; the least figure is compared with the target, as the machine disturbed it least."""
    least = min(seconds)
    reached = "reached" if least <= target else "not reached"
    said = f"`tallybook {' '.join(arguments)}`"
    return [said, f"{least:.2f}", f"{statistics.median(seconds):.2f}", f"≤ {target:.2f}", reached]


def main(arguments: Sequence[str] | None = None) -> int:
    """Make a folder, run the commands by turns, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--facts", type=int, default=DEFAULT_FACTS)
    parser.add_argument("--repeats", type=int, default=DEFAULT_REPEATS)
    parser.add_argument("--markdown", action="store_true", help="write the table into docs/benchmarks.md")
    given = parser.parse_args(arguments)
    with TemporaryDirectory() as place:
        root = Path(place) / "programme"
        folder, _ = import_year(root, write_inbox(Path(place), given.facts))
        with caught_up(folder) as store:
            (leader,) = store.rows("SELECT member_id FROM tallybook.balances ORDER BY postings DESC LIMIT 1")
        asked = commands(str(leader["member_id"]))
        found: list[list[float]] = [[] for _ in asked]
        for turn in range(given.repeats + 1):
            for (words, _), seconds in zip(asked, found, strict=True):
                used = cpu_of(words, root)
                if turn:  # the first turn brings the files into memory
                    seconds.append(used)
    rows = [row_of(words, seconds, target) for (words, target), seconds in zip(asked, found, strict=True)]
    said = f"{given.facts:,} events of a demo year, {given.repeats} runs of each; {versions()}"
    lines = [*table(HEADS, rows), "", said]
    print("\n".join(lines))
    if given.markdown:
        write_block(BLOCK, lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
