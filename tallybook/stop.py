"""Lets SIGINT and SIGTERM ask this process to stop, so that it ends where that is safe."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """Whether somebody asked this process to stop; asked twice, it ends at once."""

    def __init__(self) -> None:
        self.is_asked = False

    def ask(self, number: int, _frame: FrameType | None = None) -> None:
        """Answer a signal; the next one is left to the system."""
        self.is_asked = True
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def stoppable() -> Iterator[Stop]:
    """While the body runs, SIGINT and SIGTERM ask it to stop."""
    stop = Stop()
    before = {number: signal.signal(number, stop.ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, answer in before.items():
            signal.signal(number, answer)
