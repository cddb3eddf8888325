"""Limits the queries of others: how many run at once, for how long, and none for a client that has hung up."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from projections.serving.http_errors import Refused
from projections.serving.served_query import MAX_SECONDS

AT_ONCE: Final = 2
# How long a query waits until others have ended.
WAIT_SECONDS: Final = 10.0
WATCH_SECONDS: Final = 0.25
# The engine looks at its own limit between blocks only; this long beyond it a query is ended from outside.
GRACE_SECONDS: Final = 5.0
_BUSY: Final = 202


class _Query(msgspec.Struct):
    has_hung_up: Callable[[], bool]
    overdue_at: float


class Running:
    """Lets queries in, watches over them, and ends them by their marks with `kill`."""

    def __init__(self, kill: Callable[[str], None]) -> None:
        self._kill = kill
        self._room = threading.BoundedSemaphore(AT_ONCE)
        self._queries: dict[str, _Query] = {}
        self._changed = threading.Condition()
        self._is_ending = False
        self._watch = threading.Thread(target=self._watch_over, name="tallybook-serve-watch", daemon=True)
        self._watch.start()

    @contextmanager
    def query(self, mark: str, has_hung_up: Callable[[], bool]) -> Iterator[None]:
        """Hold a place while the body runs a client's query, until `has_hung_up`; raises Refused if none comes free."""
        if not self._room.acquire(timeout=WAIT_SECONDS):
            raise Refused(_BUSY, f"{AT_ONCE} queries run already, and for {WAIT_SECONDS:.0f} s none ended: ask again")
        try:
            with self._changed:
                if self._is_ending:
                    raise Refused(_BUSY, "the server is just ending")
                self._queries[mark] = _Query(has_hung_up, time.monotonic() + MAX_SECONDS + GRACE_SECONDS)
            try:
                yield
            finally:
                with self._changed:
                    del self._queries[mark]
                    self._changed.notify_all()
        finally:
            self._room.release()

    def end(self) -> None:
        """Let nobody in any more, and see to it that what runs ends soon."""
        with self._changed:
            self._is_ending = True
            self._changed.notify_all()

    def _watch_over(self) -> None:
        while True:
            with self._changed:
                self._changed.wait(WATCH_SECONDS)
                if self._is_ending and not self._queries:
                    return
                due = [
                    mark
                    for mark, query in self._queries.items()
                    if self._is_ending or time.monotonic() > query.overdue_at or query.has_hung_up()
                ]
            # In every turn, as a query that is only just beginning is not found yet.
            for mark in due:
                self._kill(mark)
