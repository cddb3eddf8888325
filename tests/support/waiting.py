"""Waits for what another process or thread is to do, for as long as a machine may need that is busy with more."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

MAX_WAIT_SECONDS: Final = 120.0
LOOK_SECONDS: Final = 0.05


def wait_for(what: str, condition: Callable[[], object], seconds: float = MAX_WAIT_SECONDS) -> None:
    """Look until it is so; what does not come in time fails the test."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {seconds:.0f} s")
        time.sleep(LOOK_SECONDS)
