"""Memory per member: many members of a coffee chain in one partition, each with so many lots, by resident memory.

    python -m benchmarks.memory [--members N] [--lots 10 60] [--markdown]

Everything is in it: accounts, their keys, the calendar of due work, the accounts that are unpacked at a time, and what
the allocator leaves unused. "running" is a process that decided the whole history, "restarted" one that took over its
snapshot. Ends with 1 if a restarted process needs more than the bound.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from benchmarks.fresh import measured_apart, resident_bytes
from benchmarks.regulars import history, member_ids, opened, publication
from benchmarks.report import table, versions, write_block
from processors.decider.partition_machine import PartitionMachine
from processors.decider.rules.ruleset import Ruleset
from schemas.pages import JournalLine
from tallybook.folder.folder import load_published
from tallybook.garbage_collection import collect_seldom

DEFAULT_MEMBERS: Final = 20_000
DEFAULT_LOTS: Final = (10, 60)
BOUNDS_BYTES: Final = {10: 1_500, 60: 6_000}
HEADS: Final = ("lots", "members", "facts", "remembered", "running", "restarted", "bound", "µs CPU a fact")


class Ran(NamedTuple):
    """One history: facts decided, CPU seconds, resident bytes, and what a member has on average."""

    facts: int
    seconds: float
    resident: int
    lots: float
    seen: float


_Kept = tuple[list[str], list[bytes], list[tuple[int, list[int]]]]


@lru_cache(1)
def load(text: str) -> Ruleset:
    """The rules, read once."""
    return load_published(text)


def run_history(members: int, lots: int, snapshot: str) -> Ran:
    """Decide a history until every member has its lots, keep the state in the file `snapshot`, and measure."""
    collect_seldom()
    ids = member_ids(members)
    machine = PartitionMachine(opened(), (), load)
    machine.feed(JournalLine(publication(), 0))
    gc.collect()
    before, started, facts = resident_bytes(), time.process_time(), 0
    for line in history(ids, lots, machine):
        machine.feed(line)
        facts += line.member_id is not None
    seconds = time.process_time() - started
    gc.collect()
    resident = resident_bytes() - before
    every = len(machine.accounts)
    held = sum(len(account.lots) for account in machine.accounts) / every
    seen = sum(len(account.seen) for account in machine.accounts) / every
    kept = (list(machine.accounts.members()), list(machine.accounts.packed()), machine.due_work())
    Path(snapshot).write_bytes(msgspec.msgpack.encode(kept))
    return Ran(facts, seconds, resident, held, seen)


def restart(snapshot: str) -> int:
    """Take over a state; the resident bytes that it takes."""
    collect_seldom()
    machine = PartitionMachine(opened(), (), load)
    gc.collect()
    before = resident_bytes()
    take_over(machine, snapshot)
    gc.collect()
    return resident_bytes() - before


def take_over(machine: PartitionMachine, snapshot: str) -> None:
    """Put the state in the file `snapshot` in the place of the machine's own."""
    members, packed, due_work = msgspec.msgpack.decode(Path(snapshot).read_bytes(), type=_Kept)
    machine.restore(members, packed, due_work, last_tick=0, publications=[])


def measure(members: int, lots: int) -> tuple[list[str], bool]:
    """The row of the table for so many lots, and whether the bound holds (where there is one)."""
    with tempfile.TemporaryDirectory() as place:
        snapshot = str(Path(place) / "state")
        ran = measured_apart(run_history, members, lots, snapshot)
        restarted = measured_apart(restart, snapshot) / members
    bound = BOUNDS_BYTES.get(lots)
    row = [f"{ran.lots:.1f}", f"{members:,}", f"{ran.facts:,}", f"{ran.seen:.1f}", f"{ran.resident / members:,.0f}"]
    row += [f"{restarted:,.0f}", "" if bound is None else f"{bound:,}", f"{ran.seconds / ran.facts * 1e6:.0f}"]
    return row, bound is None or restarted <= bound


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table; 1 if a bound does not hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--members", type=int, default=DEFAULT_MEMBERS)
    parser.add_argument("--lots", type=int, nargs="+", default=list(DEFAULT_LOTS), help="lots of a member")
    parser.add_argument("--markdown", action="store_true", help="write the table into docs/benchmarks.md")
    given = parser.parse_args(arguments)
    measured = [measure(given.members, lots) for lots in given.lots]
    lines = [
        "Bytes per member (lots held and facts remembered on average; every account is packed at nearly every fact):",
        "",
    ]
    lines += [*table(HEADS, [row for row, _ in measured]), "", versions()]
    print("\n".join(lines))
    if given.markdown:
        write_block("memory", lines)
    return 0 if all(holds for _, holds in measured) else 1


if __name__ == "__main__":
    sys.exit(main())
