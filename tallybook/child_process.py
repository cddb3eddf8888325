"""Runs child processes: each ends when its parent does, and is restarted after pauses that grow."""

import math
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, Final

from tallybook.garbage_collection import collect_seldom

# Names the descriptor of a pipe that closes when the process that started this one is gone.
SUPERVISED: Final = "TALLYBOOK_SUPERVISED_BY"
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Child:
    """A process of ours with a pipe to this one; the pipe closes when either of them is gone.

    It is spawned, not forked: an embedded ClickHouse does not survive a fork, and a copy of the books' lock would
    outlive its holder. It runs `target(connection, *args)`, and ignores SIGINT and SIGTERM: they reach all processes of
    a terminal or of a service, and are for the parent to answer.
    """

    def __init__(self, name: str, target: Callable[..., None], *args: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, its_connection = context.Pipe()
        self._process = context.Process(target=_run, args=(target, its_connection, args), name=name, daemon=True)
        with _signals_ignored():
            self._process.start()
        its_connection.close()

    @property
    def pid(self) -> int | None:
        """Its process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process.is_alive()

    def wait(self, seconds: float) -> int | None:
        """Wait so long at most for its end; its exit code (negative: the signal that ended it), None if it runs."""
        self._process.join(seconds)
        return self._process.exitcode

    def stop(self, seconds: float) -> None:
        """Close the pipe, which tells it to end, and kill it if it has not ended after so long."""
        self.connection.close()
        self._process.join(seconds)
        self.kill()

    def kill(self) -> None:
        """End it at once."""
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        self.connection.close()


class BackOff:
    """Gives the pause before each restart: twice the one before, and short again after a run that was steady."""

    def __init__(self, first: float, longest: float = math.inf, steady: float = math.inf) -> None:
        self._first = self._next = first
        self._longest = longest
        self._steady = steady

    def pause_after(self, ran: float) -> float:
        """The seconds to wait after a run of so many seconds."""
        pause = self._first if ran > self._steady else self._next
        self._next = min(2 * pause, self._longest)
        return pause


@contextmanager
def lifeline() -> Iterator[int]:
    """A descriptor for processes started with `subprocess`: it reads as ended when this process is gone."""
    reading, writing = os.pipe()
    try:
        yield reading
    finally:
        os.close(writing)
        os.close(reading)


def stop_with_parent() -> None:
    """Where the environment names a lifeline, ask this process to stop when that ends."""
    descriptor = os.environ.get(SUPERVISED)
    if descriptor is None:
        return

    def watch(handle: int) -> None:
        while os.read(handle, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, args=(int(descriptor),), name="tallybook-supervisor", daemon=True).start()


def _run(target: Callable[..., None], connection: Connection, args: tuple[Any, ...]) -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    collect_seldom()
    target(connection, *args)


@contextmanager
def _signals_ignored() -> Iterator[None]:
    """Ignore what this process would answer itself: a child inherits that, and so is safe from its first moment on."""
    answers = {number: signal.getsignal(number) for number in _SIGNALS}
    answers = {number: answer for number, answer in answers.items() if answer is not signal.SIG_DFL}
    for number in answers:
        signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, answer in answers.items():
            signal.signal(number, answer)
