"""What re-scoring costs beside deciding once and beside two whole runs, by how much a draft changes.

    python -m benchmarks.rescore [--facts N] [--members M] [--repeats R] [--processes P ...] [--partitions K]
                                 [--markdown]

The demo's year. All pieces take turns in one process, and of each the pass with the least CPU counts; then runs are
made as the command makes them, with each number of processes. "One member in twenty" changes because half of the base
rate holds from July only until that many members bought something. Of large books K partitions are enough: each is read
and decided by itself. Ends with 1 if a re-scoring finds something else than two whole runs.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.demo_books import import_year, write_inbox
from benchmarks.report import table, versions, write_block
from benchmarks.timing import Timings, take_turns
from books.log import LogReader
from processors.decider.partition_machine import PartitionMachine
from processors.replay.rescore.partition_run import Kept, rescore_partition
from processors.replay.rescore.two_worlds import LIVE_ACCOUNTS, Selection
from schemas.canonical import EMPTY_DIGEST, next_ledger_digest
from schemas.facts import PurchaseRecorded
from schemas.instants import LATEST_MS, format_instant, parse_instant
from schemas.posting import RuleLayer
from tallybook.folder.folder import Folder, load_published
from tallybook.garbage_collection import collect_seldom
from tallybook.rescore.carry_out import carry_out
from tallybook.rescore.plan import NEVER, Asked, Plan, make_plan

FACTS: Final = 60_000
FACTS_PER_MEMBER: Final = 30
REPEATS: Final = 3
FROM: Final = "2025-01-01"
MANY: Final = 4
HEADS: Final = ("what", "lines", "CPU µs per line", "lines/s per core", "of deciding once", "members changed", "rows")
PROCESS_HEADS: Final = ("what", "processes", "lines", "seconds", "lines/s", "CPU s", "peak MiB of a process")
FEW: Final = 20  # one member in so many changes
FEW_FROM: Final = "2025-07-01"
NOTHING: Final = "nothing changes"
SOME: Final = f"one member in {FEW} changes: half of the base rate"
ALL: Final = "all change: half of the base rate"
BASE_RATE: Final = "kind: spend, points: 1, per_minor: 10}"
HALF_RATE: Final = "kind: spend, points: 1, per_minor: 20}"


def drafts_of(folder: Folder, log: LogReader, place: Path) -> dict[str, Plan]:
    """A plan for each change, and one with MANY drafts that all change everybody."""
    text = next((folder.rulesets / "coffee-chain").glob("*.yaml")).read_text("utf-8")
    if BASE_RATE not in text:
        raise AssertionError(f"the coffee chain's rules no longer say {BASE_RATE!r}")
    same, half = place / "same.yaml", place / "half.yaml"
    same.write_text(text.replace('version: "', 'version: "same-', 1), "utf-8")
    half.write_text(text.replace('version: "', 'version: "half-', 1).replace(BASE_RATE, HALF_RATE), "utf-8")
    asked = {
        NOTHING: Asked(same, FROM, NEVER),
        SOME: Asked(half, FEW_FROM, format_instant(until_some_bought(log))),
        ALL: Asked(half, FROM, NEVER),
    }
    plans = {name: make_plan(log, [("draft", [each])], Selection()) for name, each in asked.items()}
    several = [(f"draft-{number}", [asked[ALL]]) for number in range(MANY)]
    return plans | {f"all change, in each of {MANY} drafts": make_plan(log, several, Selection())}


def until_some_bought(log: LogReader) -> int:
    """The instant (UTC ms) up to which one member in FEW bought something since FEW_FROM."""
    members: set[str] = set()
    bought: dict[str, int] = {}  # the first purchase of each member since FEW_FROM
    from_at = parse_instant(f"{FEW_FROM}T00:00:00Z")
    for partition in range(log.partitions):
        for _, page in log.read_journal(partition):
            for line in page.lines:
                if line.member_id is not None:
                    members.add(line.member_id)
                    if isinstance(line.fact, PurchaseRecorded) and line.fact.occurred_at >= from_at:
                        bought[line.member_id] = min(line.fact.occurred_at, bought.get(line.member_id, LATEST_MS))
    return sorted(bought.values())[len(members) // FEW]


def rescored(log: LogReader, plan: Plan, timings: Timings, name: str, found: dict[str, tuple[int, int]]) -> None:
    """Re-score all partitions in this process, keeping nothing but the counts."""
    changed = rows = 0
    with timings.piece(name) as handled:
        for cut in plan.cuts:
            kept = [Kept(draft.layers, _forget, _forget) for draft in plan.drafts]
            result = rescore_partition(log, plan.base, cut, kept, load_published)
            if not result.is_proven:
                raise AssertionError("the base is not proven")
            handled.append(result.lines)
            changed += sum(draft.members for draft in result.drafts)
            rows += sum(draft.lines for draft in result.drafts)
    found[name] = (changed, rows)


def decided_once(log: LogReader, plan: Plan, timings: Timings, name: str) -> None:
    """What a re-scoring cannot do without: read the journal, decide it, and compare the digest."""
    with timings.piece(name) as handled:
        for cut in plan.cuts:
            handled.append(rescore_partition(log, plan.base, cut, [], load_published).lines)


def run_twice(log: LogReader, plan: Plan, timings: Timings, name: str, found: dict[str, tuple[int, int]]) -> None:
    """Two whole runs, one after the other, whose accounts are compared: what a re-scoring is instead of."""
    changed = 0
    with timings.piece(name) as handled:
        for cut in plan.cuts:
            before, lines = _whole_run(log, cut.partition, ())
            after, _ = _whole_run(log, cut.partition, plan.drafts[0].layers)
            changed += sum(before.get(member) != after.get(member) for member in before.keys() | after.keys())
            handled.append(lines)
    found[name] = (changed, 0)


def _whole_run(log: LogReader, partition: int, layers: Sequence[RuleLayer]) -> tuple[dict[str, tuple[int, int]], int]:
    """The balance of each member and what was ever earned (points may all have expired), and the lines."""
    machine = PartitionMachine(log.opened(), layers, load_published, live_accounts=LIVE_ACCOUNTS)
    digest, lines = EMPTY_DIGEST, 0
    for _, page in log.read_journal(partition):
        for line in page.lines:
            for posting in machine.feed(line):
                digest = next_ledger_digest(digest, posting)
        lines += len(page.lines)
    return {account.member_id: (account.balance, account.earned) for account in machine.accounts}, lines


def _forget(_: object) -> None:
    """Rows that are counted and not kept."""


def of_some(plan: Plan, partitions: int) -> Plan:
    """The plan for the first partitions alone; 0: all."""
    return msgspec.structs.replace(plan, cuts=plan.cuts[: partitions or None])


def by_processes(folder: Folder, plan: Plan, name: str, processes: int) -> list[str]:
    """The row of one run in the command's own way, files included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    run = carry_out(folder, plan, processes)
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    lines = run.totals().lines
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return [
        name,
        str(processes),
        f"{lines:,}",
        f"{seconds:.1f}",
        f"{lines / seconds:,.0f}",
        f"{cpu:.1f}",
        f"{after.ru_maxrss / 1024:.0f}",
    ]


def measure(
    folder: Folder, place: Path, repeats: int, processes: Sequence[int], partitions: int
) -> tuple[list[str], bool]:
    """All rows as lines of Markdown, and whether the re-scorings find what two whole runs find.

    `partitions` says how many are read (0: all); runs with more processes than that read one for each process.
    """
    timings = Timings()
    found: dict[str, tuple[int, int]] = {}
    with folder.reading() as log:
        of_all = drafts_of(folder, log, place)
        plans = {name: of_some(plan, partitions) for name, plan in of_all.items()}
        everything = plans[ALL]
        passes: list[Callable[[], None]] = [partial(decided_once, log, everything, timings, "deciding once")]
        passes += [partial(rescored, log, plan, timings, name, found) for name, plan in plans.items()]
        passes.append(partial(run_twice, log, everything, timings, "two whole runs", found))
        take_turns(passes, repeats)
    once = timings.micros("deciding once")
    rows = []
    for name in timings.seconds:
        micros = timings.micros(name)
        changed, lines = found.get(name, (0, 0))
        rows.append(
            [
                name,
                f"{timings.counts[name]:,}",
                f"{micros:.1f}",
                f"{1_000_000 / micros:,.0f}",
                f"{micros / once:.2f}",
                f"{changed:,}",
                f"{lines:,}",
            ]
        )
    printed = [*table(HEADS, rows), ""]
    most = partitions and max(partitions, *processes)
    runs = [(name, of_some(plan, most), number) for name, plan in of_all.items() for number in processes]
    by_number = [by_processes(folder, plan, name, number) for name, plan, number in runs]
    printed += [*table(PROCESS_HEADS, by_number), ""]
    return printed, found["two whole runs"][0] == found[ALL][0]


def main() -> int:
    """Measure and print; with --markdown the block in docs/benchmarks.md is written as well."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--facts", type=int, default=FACTS, help="events of the year (default: %(default)s)")
    parser.add_argument("--members", type=int, default=0, help="members (default: one for 30 events)")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="passes of each piece (default: %(default)s)")
    parser.add_argument("--processes", type=int, nargs="*", default=[1, 2], help="of whole runs (default: 1 2)")
    parser.add_argument("--partitions", type=int, default=0, help="how many of the eight to read (default: all)")
    parser.add_argument("--markdown", action="store_true", help="write the tables into docs/benchmarks.md")
    given = parser.parse_args()
    collect_seldom()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        members = given.members or max(10, given.facts // FACTS_PER_MEMBER)
        folder, _ = import_year(place / "books", write_inbox(place, given.facts, members))
        lines, agrees = measure(folder, place, given.repeats, given.processes, given.partitions)
    lines += [f"{given.facts:,} events of {members:,} members; {versions()}"]
    sys.stdout.write("\n".join(lines) + "\n")
    if given.markdown:
        write_block("rescore", ["", *lines, ""])
    if not agrees:
        sys.stderr.write("the re-scoring and two whole runs find another number of changed members\n")
    return 0 if agrees else 1


if __name__ == "__main__":
    sys.exit(main())
