"""Simulates seeds: a whole run each, of intake, scoring and projection, in which everything goes wrong that can.

    python -m tests.simulation --count 4000 --seed 0 [--processes 2]
    python -m tests.simulation --count 1 --seed 1234       tells the story of one seed, also if it holds

Ends with 1 if a seed breaks a law, or if in a large run something never happened.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from multiprocessing import get_context

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tests.simulation.events import MUST_HAPPEN
from tests.simulation.run import SeedBroken, run_seed
from tests.simulation.some_seeds import run_chunk, told

CHUNK = 50
MUST_HAPPEN_FROM = 4_000


def chunks(seed: int, number: int) -> list[range]:
    """The seeds of a run, cut where the rulesets change, so that each is read by one process only."""
    ends = [*range((seed // CHUNK + 1) * CHUNK, seed + number, CHUNK), seed + number]
    return [range(begin, end) for begin, end in zip([seed, *ends[:-1]], ends, strict=True)]


def table(seen: Counter[str]) -> str:
    """How often each thing happened."""
    names = sorted({*seen, *MUST_HAPPEN} - {"(seeds)"})
    return "\n".join(f"{seen[name]:>14,}  {name}" for name in names)


def missing(seen: Counter[str]) -> list[str]:
    """What never happened, and must in a run that is to prove anything."""
    return [name for name in MUST_HAPPEN if not seen[name]]


def run_all(work: list[range], total: int, processes: int) -> tuple[Counter[str], str | None]:
    """Run the chunks with a progress bar, up to the first broken law."""
    seen: Counter[str] = Counter()
    broken: str | None = None
    speed = TextColumn("{task.fields[speed]}")
    columns = (TextColumn("seeds"), BarColumn(), MofNCompleteColumn(), speed, TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn()) as progress, ExitStack() as stack:
        task = progress.add_task("seeds", total=total, speed="")
        results: Iterator[tuple[Counter[str], str | None]] = map(run_chunk, work)
        if processes > 1:
            results = stack.enter_context(get_context("spawn").Pool(processes)).imap(run_chunk, work)
        started = time.monotonic()
        for seeds, (seen_here, broken) in zip(work, results, strict=True):
            seen += seen_here
            speed_now = seen["(seeds)"] / max(time.monotonic() - started, 0.001)
            progress.update(task, advance=len(seeds), speed=f"{speed_now:.0f} seeds/s")
            if broken is not None:
                break
    return seen, broken


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the arguments, run, print the table; 1 if a law is broken or something never happened."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=1_000, help="how many seeds")
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--processes", type=int, default=1, help="how many processes share the work")
    parser.add_argument("--brief", action="store_true", help="no table, and of a broken law the first line alone")
    given = parser.parse_args(arguments)
    if given.count == 1:
        return tell_one(given.seed)
    started = time.monotonic()
    seen, broken = run_all(chunks(given.seed, given.count), given.count, given.processes)
    if given.brief:
        print(broken.splitlines()[0] if broken else f"{seen['(seeds)']} seeds")
        return 1 if broken else 0
    print(table(seen))
    if broken is not None:
        print(broken)
        return 1
    never = missing(seen) if given.count >= MUST_HAPPEN_FROM else []
    seconds = time.monotonic() - started
    print(f"{seen['(seeds)']:,} seeds in {seconds:.0f} s ({seen['(seeds)'] / seconds:.0f} a second): 0 laws broken")
    if never:
        print(f"never happened: {', '.join(never)}")
    return 1 if never else 0


def tell_one(seed: int) -> int:
    """Run one seed and tell its story."""
    seen: Counter[str] = Counter()
    try:
        run = run_seed(seed, seen)
    except SeedBroken as broken:
        print(told(broken))
        return 1
    print("\n".join([f"seed {seed}:", *(f"  {line}" for line in run.story), table(+seen)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
