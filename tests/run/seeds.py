"""Runs seeds until one breaks a law: over processes, with a progress bar, and a table of what happened."""

import importlib
import itertools
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Final, NamedTuple, TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tallybook.garbage_collection import collect_seldom
from tests.run.given import Given, say

CHUNK: Final = 60  # seeds that one process runs in a row; whole settings, so that each ruleset is read by one


class Seeded(NamedTuple):
    """Something that a seed decides, in a module that has it as `SEEDED`.

    `holds` runs a seed, counts what happens in it, and says whether all laws held; `story` tells a person of a seed.
    In `enough` seeds everything of `must_happen` has to happen `least` times, lest they prove less than they seem to.
    """

    holds: Callable[[int, Counter[str]], bool]
    story: Callable[[int], str]
    must_happen: Sequence[str] = ()
    least: int = 1
    enough: int = 0


def run_seeds(module: str, given: Given) -> list[str]:
    """Run the seeds of a command and print what happened; what is wrong."""
    seeded: Seeded = importlib.import_module(module).SEEDED
    first = int(given.seed)
    if given.count == 1 and not given.is_timed:
        say(seeded.story(first))
    started = time.monotonic()
    seen, broken = _run_all(module, given, first)
    seconds = time.monotonic() - started
    done = seen.pop("seeds", 0)
    if not given.brief:
        for name in [*seeded.must_happen, *sorted(set(seen) - set(seeded.must_happen))]:
            say(f"{seen[name]:>14,}  {name}")
    say(f"{done:,} seeds from {first} in {seconds:.1f} s ({done / max(seconds, 0.001):.0f} a second)")
    if broken is not None:
        story = [] if given.brief else [seeded.story(broken)]
        return [f"seed {broken} broke a law", *story, given.again(seed=broken, count=1)]
    rare = [name for name in seeded.must_happen if seen[name] < seeded.least] if done >= seeded.enough else []
    return [f"happened less than {seeded.least} times: {', '.join(rare)}"] if rare else []


def _run_all(module: str, given: Given, first: int) -> tuple[Counter[str], int | None]:
    seen: Counter[str] = Counter()
    broken = None
    until = time.monotonic() + given.seconds
    total = None if given.is_timed else given.count
    speed = TextColumn("{task.fields[speed]}")
    columns = (BarColumn(), MofNCompleteColumn(), speed, TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(TextColumn(given.command), *columns) as progress:
        task = progress.add_task(given.command, total=total, speed="")
        started = time.monotonic()
        results = over_processes(partial(_run_some, module), chunks(first, total, until), given.processes)
        for seeds, (seen_here, broken) in results:
            seen += seen_here
            speed_now = seen["seeds"] / max(time.monotonic() - started, 0.001)
            progress.update(task, advance=len(seeds), speed=f"{speed_now:.0f} a second")
            if broken is not None:
                break
    return seen, broken


def chunks(first: int, total: int | None, until: float) -> Iterator[range]:
    """The seeds from the first, in pieces that end at multiples of CHUNK; without a total, until a time has come."""
    end = None if total is None else first + total
    for begin in itertools.chain([first], itertools.count((first // CHUNK + 1) * CHUNK, CHUNK)):
        piece = range(begin, (begin // CHUNK + 1) * CHUNK)
        yield piece if end is None else range(begin, min(piece.stop, end))
        if time.monotonic() >= until if end is None else piece.stop >= end:
            return


def _run_some(module: str, seeds: range) -> tuple[Counter[str], int | None]:
    """What happened in some seeds, and the first that broke a law; called in whichever process."""
    collect_seldom()
    seeded: Seeded = importlib.import_module(module).SEEDED
    seen: Counter[str] = Counter()
    for seed in seeds:
        if not seeded.holds(seed, seen):
            return seen, seed
        seen["seeds"] += 1
    return seen, None


Item = TypeVar("Item")
Result = TypeVar("Result")
AHEAD: Final = 2  # how many pieces wait for each process


def over_processes(
    work: Callable[[Item], Result], items: Iterable[Item], processes: int
) -> Iterator[tuple[Item, Result]]:
    """Each item with what `work` makes of it, by so many processes; by this one, if one is enough."""
    if processes > 1:
        return _spread(ProcessPoolExecutor(processes, mp_context=get_context("spawn")), work, items, processes)
    return ((item, work(item)) for item in items)


def over_threads(work: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[tuple[Item, Result]]:
    """Each item with what `work` makes of it, by so many threads, for work that only waits for other processes."""
    return _spread(ThreadPoolExecutor(threads), work, items, threads)


def _spread(
    pool: Executor, work: Callable[[Item], Result], items: Iterable[Item], at_a_time: int
) -> Iterator[tuple[Item, Result]]:
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    try:
        for item in items:
            waiting.append((item, pool.submit(work, item)))
            if len(waiting) >= at_a_time * AHEAD:
                first, result = waiting.popleft()
                yield first, result.result()
        for last, result in waiting:
            yield last, result.result()
    finally:
        pool.shutdown(cancel_futures=True)
