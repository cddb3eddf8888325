"""The command line with a quick clock and short patience, which the chaos starts in place of `tallybook`.

    python -m tests.chaos.stage ORDERS ARGUMENTS…     ORDERS is a file that holds `Orders` as JSON

An hour passes in seconds, so that there are many ticks, and awards that expire at local midnights; a snapshot is kept
after few postings. The product knows nothing of all this.
"""

from __future__ import annotations

import faulthandler
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

import books.kafka.cluster
import processors.stream.arrival_order
import processors.stream.intake
import tallybook.clock
from books.kafka.client_errors import REQUEST_SECONDS

SNAPSHOT_AFTER_POSTINGS: Final = 300
SNAPSHOT_EVERY_SECONDS: Final = 3.0


class Orders(msgspec.Struct, frozen=True):
    """When a deployment lives, and how long its groups wait for members that say nothing.

    Its clock showed `begins_at` (UTC ms) at the machine's `epoch` (UTC ms), and runs `speed` times as fast since.
    """

    begins_at: int
    epoch: int
    speed: int
    session_seconds: float

    def now_ms(self) -> int:
        """The present instant of the deployment in UTC ms."""
        return self.begins_at + (time.time_ns() // 1_000_000 - self.epoch) * self.speed

    def machine_seconds(self, instant: int) -> float:
        """When the machine's clock (s since 1970) stood where the deployment's showed `instant` (UTC ms)."""
        return (self.epoch + (instant - self.begins_at) / self.speed) / 1000


def put(owner: object, name: str, value: object) -> None:
    """Put something in the place of what must not be assigned to, as mypy sees it; it has to be there."""
    if not hasattr(owner, name):
        raise AssertionError(f"{owner} has no {name} any more: these tests put another value there")
    setattr(owner, name, value)


def make_quick(orders: Orders) -> None:
    """Live by the orders' clock; what is waited for by that clock is waited for as long as before."""
    put(tallybook.clock, "now_ms", orders.now_ms)
    arrival_order = processors.stream.arrival_order
    for name in ("STEP_MS", "BEHIND_MS", "PATIENCE_MS"):
        put(arrival_order, name, getattr(arrival_order, name) * orders.speed)
    stream = processors.stream.intake
    put(stream, "TICK_AGE_MS", stream.TICK_AGE_MS * orders.speed // 10)
    cluster = books.kafka.cluster
    put(cluster, "SESSION_SECONDS", orders.session_seconds)
    put(cluster, "REQUEST_SECONDS", min(REQUEST_SECONDS, orders.session_seconds))
    _set_default(cluster.Cluster.producer, "timeout_seconds", orders.session_seconds)


def make_quick_worker(orders: Orders) -> None:
    """The same for a scoring worker, which is slow to load."""
    from processors.stream import faust_worker, scoring  # noqa: PLC0415 only a scoring worker needs it

    put(faust_worker, "SESSION_SECONDS", orders.session_seconds)
    put(scoring, "POSTINGS_WHILE_SCORING", SNAPSHOT_AFTER_POSTINGS)
    put(faust_worker, "LOOK_EVERY_SECONDS", SNAPSHOT_EVERY_SECONDS)


def _set_default(function: Callable[..., object], name: str, value: float) -> None:
    defaults = getattr(function, "__kwdefaults__", {})
    if name not in defaults:
        raise AssertionError(f"{function} has no {name} any more: these tests make it short")
    defaults[name] = value


def main() -> None:
    """Run the command."""
    faulthandler.register(signal.SIGUSR1)  # so that one that hangs can be asked where
    orders = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Orders)
    make_quick(orders)
    sys.argv = ["tallybook", *sys.argv[2:]]
    if "score" in sys.argv:
        make_quick_worker(orders)
    from tallybook.cli.main import main as command  # noqa: PLC0415 after the clock is set, which others take by name

    command()


if __name__ == "__main__":
    main()
