"""Reads the wall clock; all other code is given the instant, or a clock to ask."""

import time
from typing import Protocol


class Clock(Protocol):
    """What tells a long-running process the time; `now_ms` is one, a test brings its own."""

    def __call__(self) -> int:
        """The present instant in UTC milliseconds; it may go back, as clocks of machines do."""


def now_ms() -> int:
    """The present instant in UTC milliseconds."""
    return time.time_ns() // 1_000_000
