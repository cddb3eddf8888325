"""Runs a stage of the stream until it is asked to stop, and begins anew what a broker's or a server's absence ended.

Whatever a stage had not committed is made again from what is committed, so that beginning anew is always right. What is
not a matter of waiting ends the process, with words.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec

from books.kafka_errors import KafkaUnreachable, TransactionAborted
from processors.stage_counts import StageCounts
from projections.store import StoreUnreachable
from tallybook.clock import now_ms
from tallybook.following import Stop

FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 5.0
# The same trouble is told again after this.
TOLD_AGAIN_SECONDS: Final = 30.0
STEADY_SECONDS: Final = 30.0
SUPERVISED: Final = "TALLYBOOK_SUPERVISED_BY"
_TROUBLE: Final = (KafkaUnreachable, TransactionAborted, StoreUnreachable)


class Stage(Protocol):
    """One process's part of the stream."""

    def open(self) -> None:
        """Join in."""

    def step(self) -> object:
        """Do one small piece of work."""

    def close(self) -> None:
        """Leave."""


class StageLog:
    """Lines of one stage on standard error, as text for people or as JSON for machines."""

    def __init__(self, stage: str, instance: str, *, as_json: bool) -> None:
        self._stage = stage
        self._instance = instance
        self._as_json = as_json

    def __call__(self, text: str) -> None:
        """Write one line."""
        at = datetime.fromtimestamp(now_ms() / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if self._as_json:
            fields = {"at": at, "stage": self._stage, "instance": self._instance, "message": text}
            line = msgspec.json.encode(fields).decode()
        else:
            line = f"{at} {self._stage} {self._instance}: {text}"
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def run_stage(make: Callable[[], Stage], stop: Stop, say: Callable[[str], None], counts: StageCounts) -> None:
    """Make a stage and step it until `stop` is asked; after a passing trouble, make it again.

    Raises:
        BooksError, StoreError: what does not pass by waiting.
    """
    pause, told, told_at = FIRST_PAUSE_SECONDS, "", 0.0
    while not stop.is_asked:
        began = time.monotonic()
        try:
            _run_once(make, stop, say, is_back=bool(told))
        except _TROUBLE as trouble:
            now = time.monotonic()
            counts.restarts += 1
            if str(trouble) != told or now - told_at > TOLD_AGAIN_SECONDS:
                told, told_at = str(trouble), now
                say(told)
            if now - began > STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            _wait(pause, stop)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def _run_once(make: Callable[[], Stage], stop: Stop, say: Callable[[str], None], *, is_back: bool) -> None:
    stage = make()
    try:
        stage.open()
        if is_back:
            say("goes on")
        while not stop.is_asked:
            stage.step()
    finally:
        stage.close()


def _wait(seconds: float, stop: Stop) -> None:
    until = time.monotonic() + seconds
    while not stop.is_asked and time.monotonic() < until:
        time.sleep(0.05)


def die_with_supervisor() -> None:
    """Where a supervisor started this process, ask it to stop when the supervisor is gone, however it went."""
    descriptor = os.environ.get(SUPERVISED)
    if descriptor is None:
        return

    def watch(handle: int) -> None:
        while os.read(handle, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, args=(int(descriptor),), name="tallybook-supervisor", daemon=True).start()
