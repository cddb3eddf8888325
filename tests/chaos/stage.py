"""The command line with a quick clock and short patience, which the chaos starts in place of `tallybook`.

    python -m tests.chaos.stage ORDERS ARGUMENTS…     ORDERS is a file that holds `Orders` as JSON

An hour passes in seconds, so that there are many ticks, and awards that expire at local midnights; a snapshot is kept
after few postings. The product knows nothing of all this.
"""

import faulthandler
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

import processors.stream.arrival_order
import processors.stream.intake
import tallybook.clock
from books.kafka.take_over import USUAL, Timing

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

    @property
    def timing(self) -> Timing:
        """Short patience, and many snapshots."""
        seconds = self.session_seconds
        return Timing(
            session_seconds=seconds,
            transaction_seconds=seconds,
            request_seconds=min(USUAL.request_seconds, seconds),
            snapshot_postings=SNAPSHOT_AFTER_POSTINGS,
            snapshot_look_seconds=SNAPSHOT_EVERY_SECONDS,
        )

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
    # Imported after the clock is set, which others take by name.
    from tallybook.stream.open import open_stream  # noqa: PLC0415 only a stage needs it
    from tallybook.stream.stages import start  # noqa: PLC0415 only a stage needs it

    put(start, "open_stream", partial(open_stream, timing=orders.timing))


def main() -> None:
    """Run the command."""
    faulthandler.register(signal.SIGUSR1)  # so that one that hangs can be asked where
    orders = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Orders)
    make_quick(orders)
    sys.argv = ["tallybook", *sys.argv[2:]]
    from tallybook.cli.main import main as command  # noqa: PLC0415 after the clock is set, which others take by name

    command()


if __name__ == "__main__":
    main()
