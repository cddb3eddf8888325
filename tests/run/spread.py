"""Spreads pieces of work over processes or threads, and gives their results in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Final, TypeVar

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
