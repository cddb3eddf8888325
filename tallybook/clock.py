"""Reads the wall clock; all other code is given the instant, or a clock to ask."""

import time
from collections.abc import Callable

# What tells a long-running process the time; `now_ms` is one, a test brings its own.
Clock = Callable[[], int]


def now_ms() -> int:
    """The present instant in UTC milliseconds; it may go back, as clocks of machines do."""
    return time.time_ns() // 1_000_000
