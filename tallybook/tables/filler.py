"""Fills the tables, and serves them, in a second process while this one decides: what is committed is already true.

The child is spawned, not forked: an embedded ClickHouse does not survive a fork, and a copy of the books' lock would
outlive its holder. It ends when its parent does, however that happens: its end of a pipe closes.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, cast

import msgspec

if TYPE_CHECKING:  # ClickHouse is slow to load, and this process never asks it
    from books.log import LogReader
    from projections.store import Store
    from tallybook.folder.folder import Folder

POLL_SECONDS: Final = 0.05  # between two looks at the books where nobody tells of commits
GAP_SECONDS: Final = 0.25  # between two projections: each makes a part of every table, which ClickHouse has to merge
HELD_SECONDS: Final = 0.25  # between two tries to open tables that another process has open
STOP_SECONDS: Final = 600.0
MAX_RESTARTS: Final = 5
RESTART_SECONDS: Final = 2.0  # before the first restart, and twice as long before each further one
MAX_UNANSWERED: Final = 100  # words to a child that does not answer; a pipe holds a few thousand
_COMMITTED: Final = b"c"
_LEVEL: Final = b"l"

Say = Callable[[str], None]


class Told(msgspec.Struct):
    """What the child says: postings brought in and seconds spent since its start, and the commit the tables hold."""

    kind: Literal["held", "serving", "projected", "level", "failed"]
    text: str = ""
    postings: int = 0
    seconds: float = 0.0
    commit: int = -1


class Alongside:
    """The child that keeps the tables level; all its calls return at once, except `end`.

    If it dies it is started again, MAX_RESTARTS times: the tables are a cache, and the decisions go on.
    """

    def __init__(self, root: Path, say: Say, *, serves: bool = False, is_told: bool = False) -> None:
        self.last = Told("projected")
        self.url = ""
        self._root = root
        self._say = say
        self._serves = serves
        self._is_told = is_told
        self._restarts = 0
        self._restart_at: float | None = None
        self._unanswered = 0
        self._connection, self._process = self._start()

    @property
    def pid(self) -> int | None:
        """The process that has the tables open."""
        return self._process.pid

    def tell(self) -> None:
        """Something was committed."""
        if self._unanswered < MAX_UNANSWERED:
            self._unanswered += 1
            self._send(_COMMITTED)

    def tend(self) -> None:
        """Hear what the child says, and start it again if it died."""
        self._hear()
        if self._restart_at is None and not self._process.is_alive():
            self._hear()  # what it said last
            self._mourn()
        if self._restart_at is not None and time.monotonic() >= self._restart_at:
            self._restart_at = None
            self._connection.close()
            self._unanswered = 0
            self._connection, self._process = self._start()

    def end(self) -> Told:
        """Wait until the tables are level with the books, and the child has gone; what it said last."""
        self._send(_LEVEL)
        ends_at = time.monotonic() + STOP_SECONDS
        while self._process.is_alive() and time.monotonic() < ends_at:
            self._hear()
            self._process.join(POLL_SECONDS)
        self._hear()
        self.kill()
        return self.last

    def kill(self) -> None:
        """End the child as it is; it leaves nothing that is not true."""
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        self._connection.close()

    def _start(self) -> tuple[Connection, BaseProcess]:
        context = multiprocessing.get_context("spawn")
        mine, its = context.Pipe()
        child = context.Process(
            target=_keep_level, args=(self._root, its, self._serves, self._is_told), name="tables", daemon=True
        )
        # Signals reach all processes of a terminal, or of a service. They are for this one alone to answer, from the
        # child's first moment on, and a child inherits what is ignored.
        answers = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            child.start()
        finally:
            for number, answer in answers.items():
                signal.signal(number, answer)
        its.close()
        return mine, child

    def _send(self, word: bytes) -> None:
        with suppress(OSError):  # it died; `tend` sees to it
            self._connection.send_bytes(word)

    def _hear(self) -> None:
        with suppress(EOFError, OSError):
            while not self._connection.closed and self._connection.poll():
                told = msgspec.json.decode(self._connection.recv_bytes(), type=Told)
                if told.kind == "serving":
                    self.url = told.text
                elif told.kind in {"held", "failed"}:
                    self._say(told.text)
                else:
                    self._unanswered = 0
                    self.last = told

    def _mourn(self) -> None:
        self.url = ""
        if self._restarts == MAX_RESTARTS:
            if self._restart_at is None:
                self._say(
                    "the process that fills the tables ended once too often and is not started again: the books go "
                    "on, and the first reader after this run brings the tables level"
                )
            self._restart_at = float("inf")
            return
        wait = RESTART_SECONDS * 2**self._restarts
        self._restarts += 1
        self._restart_at = time.monotonic() + wait
        self._say(
            f"the process that fills the tables ended (exit code {self._process.exitcode}); it is started again in "
            f"{wait:.0f} s. The books go on"
        )


class Beside:
    """What the child did, known when the body has ended: postings brought in, and seconds spent on it."""

    def __init__(self) -> None:
        self.postings = 0
        self.seconds = 0.0


@contextmanager
def projecting_alongside(root: Path) -> Iterator[Beside]:
    """While the body runs, a child process projects whatever it commits into the tables of the folder `root`.

    The child only runs ahead: whoever reads next brings in what it left, and meets any error that it met.
    """
    told = Beside()
    alongside = Alongside(root, lambda _: None)
    try:
        yield told
        last = alongside.end()
        told.postings, told.seconds = last.postings, last.seconds
    finally:
        alongside.kill()


class _Words:
    """What the parent said, heard in a thread: so the child ends with its parent whatever it is doing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._changed = threading.Condition()
        self._commits = 0
        self._seen = 0
        self.is_ending = False
        threading.Thread(target=self._listen, name="parent", daemon=True).start()

    def wait(self, seconds: float | None) -> None:
        """Wait for a word not yet seen, or so long."""
        with self._changed:
            self._changed.wait_for(lambda: self._commits > self._seen or self.is_ending, seconds)
            self._seen = self._commits

    def _listen(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                word = self._connection.recv_bytes()
                with self._changed:
                    self._commits += 1
                    self.is_ending = self.is_ending or word == _LEVEL
                    self._changed.notify()
        os._exit(1)  # the parent is gone; nothing here is worth a farewell, and nobody may wait for the folder


def _keep_level(root: Path, connection: Connection, serves: bool, is_told: bool) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.environ["TZ"] = "UTC"  # see tallybook.cli.main
    from books.errors import BooksError
    from projections.store import StoreError
    from tallybook.garbage import collect_seldom

    collect_seldom()
    words = _Words(connection)

    def tell(told: Told) -> None:
        connection.send_bytes(msgspec.json.encode(told))

    try:
        _project_on(root, words, tell, serves=serves, is_told=is_told)
    except (BooksError, StoreError, OSError) as error:
        with suppress(OSError):
            tell(Told("failed", f"the tables could not be filled: {error}"))
        raise SystemExit(1) from None


def _project_on(root: Path, words: _Words, tell: Callable[[Told], None], *, serves: bool, is_told: bool) -> None:
    from projections.projector import Projector
    from projections.serving.serve import Served, serving
    from tallybook.folder.folder import EDITION, Folder

    folder = Folder(root)
    with ExitStack() as opened:
        log = opened.enter_context(folder.reading())
        store = _open_tables(folder, log, opened, words, tell)
        if serves:
            address = opened.enter_context(serving(cast(Served, store)))  # the store of a folder is the embedded one
            tell(Told("serving", f"http://{address.host}:{address.port}"))
        projector = Projector(log, store, EDITION)
        last, postings, seconds = -1, 0, 0.0
        while True:
            ending = words.is_ending
            log.refresh()
            committed = log.committed()
            if committed.number != last:
                started = time.perf_counter()
                postings += projector.project().postings
                seconds += time.perf_counter() - started
                last = committed.number
                if is_told:
                    tell(Told("projected", "", postings, seconds, last))
                    time.sleep(GAP_SECONDS)
            elif ending:
                break
            else:
                words.wait(None if is_told else POLL_SECONDS)
    tell(Told("level", "", postings, seconds, last))


def _open_tables(
    folder: Folder, log: LogReader, opened: ExitStack, words: _Words, tell: Callable[[Told], None]
) -> Store:
    """The tables of the folder, as soon as nobody else has them open."""
    from projections.store import StoreHeld
    from tallybook.tables.catch_up import own_tables

    waited = False
    while True:
        try:
            return opened.enter_context(own_tables(folder, log))
        except StoreHeld as held:
            if words.is_ending:
                raise  # whoever has them brings in what was committed
            if not waited:
                tell(Told("held", f"{held} The books go on meanwhile"))
            waited = True
            time.sleep(HELD_SECONDS)
