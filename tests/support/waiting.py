"""Waits for what another process or thread is to do, for as long as a machine may need that is busy with more."""

import time
from collections.abc import Callable, Iterable
from typing import Final

from books.kafka.cluster import Cluster
from books.kafka.records import Place

MAX_WAIT_SECONDS: Final = 120.0
LOOK_SECONDS: Final = 0.05


def wait_for(
    what: str,
    condition: Callable[[], object],
    seconds: float = MAX_WAIT_SECONDS,
    look_seconds: float = LOOK_SECONDS,
) -> None:
    """Look until it is so; what does not come in time fails the test."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {seconds:.0f} s")
        time.sleep(look_seconds)


def wait_until_settled(cluster: Cluster, places: Iterable[Place]) -> None:
    """Wait for the markers of the transactions that were ended, which follow their commit; none may be open."""
    every = list(places)
    wait_for("no transaction is open", lambda: cluster.ends(every) == cluster.ends(every, committed=False))
