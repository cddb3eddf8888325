"""The only place that reads the wall clock; everything else is given the instant."""

import time


def now_ms() -> int:
    """The present instant in UTC milliseconds."""
    return time.time_ns() // 1_000_000
