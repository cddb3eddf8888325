"""Keeps the best CPU seconds of pieces that take turns, so that a slow spell of the machine affects all alike."""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager


class Timings:
    """The best CPU seconds of each piece, how many items one pass of it handled, and the seconds of the `last` pass."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.counts: dict[str, int] = {}
        self.last = 0.0
        self.started = time.perf_counter()

    def note(self, name: str, seconds: float, count: int) -> None:
        """Keep the better of this pass and those before it."""
        self.last = seconds
        self.seconds[name] = min(seconds, self.seconds.get(name, seconds))
        self.counts[name] = count

    @contextmanager
    def piece(self, name: str) -> Iterator[list[int]]:
        """Time the body, one whole pass in this thread; it appends how many items it handled."""
        gc.collect()
        handled: list[int] = []
        before = time.process_time()
        yield handled
        self.note(name, time.process_time() - before, sum(handled))

    def micros(self, name: str) -> float:
        """Microseconds of CPU per item."""
        return self.seconds[name] / max(1, self.counts[name]) * 1_000_000

    def wall_seconds(self) -> float:
        """Seconds on the wall since the start: information only."""
        return time.perf_counter() - self.started


def take_turns(passes: Sequence[Callable[[], None]], repeats: int) -> None:
    """A B C A B C ...: each pass once, then all again."""
    for _ in range(repeats):
        for one in passes:
            one()


def cpu_seconds() -> float:
    """CPU of this process, all its threads, and its children that have ended."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )
