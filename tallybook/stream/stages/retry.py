"""Runs a stage until it is asked to stop, and starts it again after Kafka or a server could not be reached.

What a stage had not committed it makes again from what is committed, so that starting again is always right. An error
that does not pass by waiting ends the process, with a message.
"""

import time
from collections.abc import Callable
from contextlib import closing
from typing import Final, Protocol

from books.kafka.errors import KafkaUnreachable, TransactionAborted
from processors.stream.stage_counts import StageCounts
from projections.store import StoreUnreachable
from tallybook.child_process import BackOff
from tallybook.stop import Stop

FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 5.0
# The same trouble is reported again after this.
TOLD_AGAIN_SECONDS: Final = 30.0
STEADY_SECONDS: Final = 30.0
TROUBLE: Final = (KafkaUnreachable, TransactionAborted, StoreUnreachable)


class Stage(Protocol):
    """The work of one process."""

    def open(self) -> None:
        """Start."""

    def step(self) -> object:
        """Do one small piece of work."""

    def close(self) -> None:
        """Give up everything that is held."""


def run_stage(make: Callable[[], Stage], stop: Stop, say: Callable[[str], None], counts: StageCounts) -> None:
    """Make a stage and step it until `stop` is asked; after a passing trouble, make it again.

    Raises:
        BooksError, StoreError: what does not pass by waiting.
    """
    back_off = BackOff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, STEADY_SECONDS)
    told, told_at = "", 0.0
    while not stop.is_asked:
        began = time.monotonic()
        try:
            _run_once(make, stop, say, counts, is_back=bool(told))
        except TROUBLE as trouble:
            now = time.monotonic()
            counts.restarts += 1
            counts.trouble = str(trouble)
            if str(trouble) != told or now - told_at > TOLD_AGAIN_SECONDS:
                told, told_at = str(trouble), now
                say(f"{told} It is tried again until it does." if type(trouble) is KafkaUnreachable else told)
            _wait(back_off.pause_after(now - began), stop, counts)


def _run_once(
    make: Callable[[], Stage], stop: Stop, say: Callable[[str], None], counts: StageCounts, *, is_back: bool
) -> None:
    counts.alive_at = time.monotonic()
    with closing(make()) as stage:
        stage.open()
        if is_back:
            say("goes on")
        while not stop.is_asked:
            stage.step()
            counts.alive_at = counts.stepped_at = time.monotonic()
            counts.trouble = ""


def _wait(seconds: float, stop: Stop, counts: StageCounts) -> None:
    until = time.monotonic() + seconds
    while not stop.is_asked and time.monotonic() < until:
        counts.alive_at = time.monotonic()
        time.sleep(0.05)
