"""Reading sessions without an engine: a handful of queries, answered as ClickHouse answers them."""

import re
import threading
from collections.abc import Mapping

from projections.clickhouse.query_guard import FORMATTED, TABLE_FUNCTIONS
from projections.clickhouse.sessions import Answer
from projections.store import QueryFailed

_ESCAPES = {"\\t": "\t", "\\n": "\n", "\\r": "\r", "\\\\": "\\"}
ENDLESS = "SELECT count() FROM system.numbers"
MAX_WAIT_SECONDS = 120.0


class FakeSessions:
    """Knows `SELECT <number>`, `SELECT {x:String}`, SELECT repeat('x', <number>) and ENDLESS, which ends by `kill`."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[str, str], str]] = []
        self._running: dict[str, threading.Event] = {}
        self._changed = threading.Condition()
        self._is_closed = False

    def ask(
        self,
        query: str,
        output_format: str,  # noqa: ARG002 - all that it answers is written the same in every format
        *,
        parameters: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
        database: str = "",
        mark: str = "",
    ) -> Answer:
        """See Asks."""
        if self._is_closed:
            raise QueryFailed("closed")
        given = dict(parameters or {})
        if query == TABLE_FUNCTIONS:
            return _answer("file\nurl\nnumbers\n")
        if query == FORMATTED:
            plain = re.sub(r"\\.", lambda found: _ESCAPES[found[0]], given["query"])
            if plain.startswith("SELEC "):
                raise QueryFailed("Code: 62. DB::Exception: Syntax error: failed at position 7. (SYNTAX_ERROR)")
            return _answer(" ".join(plain.split()) + "\n")
        self.asked.append((query, dict(settings or {}), database))
        plain = query.rpartition("\nFORMAT ")[0] or query
        if plain == ENDLESS:
            self._run_on(mark)
        if found := re.fullmatch(r"SELECT (\d+)", plain):
            return _answer(f"{found[1]}\n")
        if found := re.fullmatch(r"SELECT repeat\('x', (\d+)\)", plain):
            return _answer("x" * int(found[1]) + "\n")
        if plain == "SELECT {x:String}":
            if "x" not in given:
                raise QueryFailed("Code: 456. DB::Exception: Substitution `x` is not set. (UNKNOWN_QUERY_PARAMETER)")
            return _answer(given["x"] + "\n")
        raise QueryFailed(f"Code: 47. DB::Exception: Unknown expression in {plain}. (UNKNOWN_IDENTIFIER)")

    def kill(self, mark: str) -> None:
        """See Asks."""
        with self._changed:
            if mark in self._running:
                self._running[mark].set()

    def close(self) -> None:
        """See Asks."""
        self._is_closed = True

    def wait_until_running(self, queries: int) -> bool:
        """Whether so many ENDLESS queries run, at once or soon."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._running) == queries, MAX_WAIT_SECONDS)

    def _run_on(self, mark: str) -> None:
        killed = threading.Event()
        with self._changed:
            self._running[mark] = killed
            self._changed.notify_all()
        was_killed = killed.wait(MAX_WAIT_SECONDS)
        with self._changed:
            del self._running[mark]
            self._changed.notify_all()
        if not was_killed:
            raise AssertionError("nobody ended a query that never ends")
        raise QueryFailed("Code: 394. DB::Exception: Query was cancelled. (QUERY_WAS_CANCELLED)")


def _answer(text: str) -> Answer:
    return Answer(text.encode(), 1, len(text))
