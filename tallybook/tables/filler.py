"""Fills the tables with what is committed, and serves them, in a second process while this one decides."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, cast

import msgspec

from tallybook.child_process import BackOff, Child

if TYPE_CHECKING:  # ClickHouse is slow to load, and this process never asks it
    from books.log import LogReader
    from projections.store import Store
    from tallybook.folder.folder import Folder

POLL_SECONDS: Final = 0.05  # between two looks at the books where the child is not notified of commits
GAP_SECONDS: Final = 0.25  # between two projections: each makes a part of every table, which ClickHouse has to merge
HELD_SECONDS: Final = 0.25  # between two tries to open tables that another process has open
KEYS_SECONDS: Final = 10.0  # between two looks for keys of several members, and so many times as long as a look takes
KEYS_PAUSE: Final = 20.0
STOP_SECONDS: Final = 600.0
MAX_RESTARTS: Final = 5
RESTART_SECONDS: Final = 2.0  # before the first restart, and twice as long before each further one
MAX_UNANSWERED: Final = 100  # messages to a child that does not answer; a pipe holds a few thousand
_COMMITTED: Final = b"c"
_FINISH: Final = b"f"

Say = Callable[[str], None]


class FillerReport(msgspec.Struct):
    """A message of the child: postings brought in and seconds spent since its start, and the commit the tables hold.

    An `alarm` has the number of keys under which facts of several members came.
    """

    kind: Literal["held", "serving", "projected", "alarm", "finished", "failed"]
    text: str = ""
    postings: int = 0
    seconds: float = 0.0
    commit: int = -1
    keys: int = 0


class TableFiller:
    """Runs the child that keeps the tables up to date; all calls return at once, except `finish`.

    If it dies it is started again, MAX_RESTARTS times: the tables are a cache, and the decisions go on.
    `is_notified` says that `on_commit` is called after each commit; else the child looks at the books by itself.
    """

    def __init__(self, root: Path, say: Say, *, serves: bool = False, is_notified: bool = False) -> None:
        self.last = FillerReport("projected")
        self.url = ""
        self.shared_keys = 0
        self._root = root
        self._say = say
        self._serves = serves
        self._is_notified = is_notified
        self._restarts = 0
        self._back_off = BackOff(RESTART_SECONDS)
        self._restart_at: float | None = None
        self._unanswered = 0
        self._child = self._start()

    @property
    def pid(self) -> int | None:
        """The process that has the tables open."""
        return self._child.pid

    def on_commit(self) -> None:
        """Tell the child that something was committed."""
        if self._unanswered < MAX_UNANSWERED:
            self._unanswered += 1
            self._send(_COMMITTED)

    def check(self) -> None:
        """Read the child's reports, and start it again if it died."""
        self._receive()
        if self._restart_at is None and not self._child.is_alive:
            self._receive()  # its last reports
            self._plan_restart()
        if self._restart_at is not None and time.monotonic() >= self._restart_at:
            self._restart_at = None
            self._child.connection.close()
            self._unanswered = 0
            self._child = self._start()

    def finish(self) -> None:
        """Wait until the tables are up to date and the child has ended."""
        self._send(_FINISH)
        ends_at = time.monotonic() + STOP_SECONDS
        while self._child.is_alive and time.monotonic() < ends_at:
            self._receive()
            self._child.wait(POLL_SECONDS)
        self._receive()
        self.kill()

    def kill(self) -> None:
        """End the child at once: what it has brought in stays, and the next reader brings in the rest."""
        self._child.kill()

    def _start(self) -> Child:
        return Child("tables", _fill, self._root, self._serves, self._is_notified)

    def _send(self, message: bytes) -> None:
        with suppress(OSError):  # it died; `check` sees to it
            self._child.connection.send_bytes(message)

    def _receive(self) -> None:
        connection = self._child.connection
        with suppress(EOFError, OSError):
            while not connection.closed and connection.poll():
                report = msgspec.json.decode(connection.recv_bytes(), type=FillerReport)
                if report.kind == "serving":
                    self.url = report.text
                elif report.kind in {"held", "failed", "alarm"}:
                    self.shared_keys += report.keys
                    self._say(report.text)
                else:
                    self._unanswered = 0
                    self.last = report

    def _plan_restart(self) -> None:
        self.url = ""
        if self._restarts == MAX_RESTARTS:
            self._say(
                "the process that fills the tables ended too often and is not started again: facts are taken in as "
                "before, and the first reading command after this run brings the tables up to date"
            )
            self._restart_at = float("inf")
            return
        self._restarts += 1
        pause = self._back_off.pause_after(0.0)
        self._restart_at = time.monotonic() + pause
        self._say(
            f"the process that fills the tables ended (exit code {self._child.wait(0)}); it is started again in "
            f"{pause:.0f} s. Facts are taken in as before"
        )


@contextmanager
def filling_tables(root: Path) -> Iterator[TableFiller]:
    """While the body runs, a child process projects whatever it commits into the tables of the folder `root`.

    Afterwards `last` says what the child did. Whoever reads the tables next brings in what it left, and meets any error
    that it met.
    """
    filler = TableFiller(root, lambda _: None)
    try:
        yield filler
        filler.finish()
    finally:
        filler.kill()


class _ParentMessages:
    """Reads in a thread what the parent sends, so that the child ends with its parent whatever it is doing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._changed = threading.Condition()
        self._received = 0
        self._seen = 0
        self.is_finishing = False
        threading.Thread(target=self._listen, name="parent", daemon=True).start()

    def wait(self, seconds: float | None) -> None:
        """Wait for a message not yet seen, for at most so many seconds (None: without end)."""
        with self._changed:
            self._changed.wait_for(lambda: self._received > self._seen or self.is_finishing, seconds)
            self._seen = self._received

    def _listen(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                message = self._connection.recv_bytes()
                with self._changed:
                    self._received += 1
                    self.is_finishing = self.is_finishing or message == _FINISH
                    self._changed.notify()
        os._exit(1)  # the parent is gone: end at once, for somebody may wait for the tables


def _fill(connection: Connection, root: Path, serves: bool, is_notified: bool) -> None:
    os.environ["TZ"] = "UTC"  # see tallybook.cli.main
    from books.errors import BooksError
    from projections.store import StoreError

    messages = _ParentMessages(connection)

    def report(said: FillerReport) -> None:
        connection.send_bytes(msgspec.json.encode(said))

    try:
        _project_on(root, messages, report, serves=serves, is_notified=is_notified)
    except (BooksError, StoreError, OSError) as error:
        with suppress(OSError):
            report(FillerReport("failed", f"the tables could not be filled: {error}"))
        raise SystemExit(1) from None


def _project_on(
    root: Path, messages: _ParentMessages, report: Callable[[FillerReport], None], *, serves: bool, is_notified: bool
) -> None:
    from projections.projector import Projector
    from projections.serving.serve import Served, serving
    from tallybook.folder.folder import Folder

    folder = Folder(root)
    with ExitStack() as opened:
        log = opened.enter_context(folder.reading())
        store = _open_tables(folder, log, opened, messages, report)
        if serves:
            address = opened.enter_context(serving(cast(Served, store)))  # the store of a folder is the embedded one
            report(FillerReport("serving", f"http://{address.host}:{address.port}"))
        projector = Projector(log, store, log.current_edition())
        keys = _SharedKeys(folder, store, report)
        last, postings, seconds = -1, 0, 0.0
        while True:
            finishing = messages.is_finishing
            log.refresh()
            committed = log.committed()
            keys.ask(at_once=finishing and committed.number == last)
            if committed.number != last:
                started = time.perf_counter()
                postings += projector.project().postings
                seconds += time.perf_counter() - started
                last = committed.number
                keys.is_behind = True
                if is_notified:
                    report(FillerReport("projected", "", postings, seconds, last))
                    time.sleep(GAP_SECONDS)
            elif finishing:
                break
            else:
                messages.wait(keys.due_in() if is_notified else POLL_SECONDS)
    report(FillerReport("finished", "", postings, seconds, last))


class _SharedKeys:
    """Looks from time to time whether what came in has keys of several members, and reports them."""

    def __init__(self, folder: Folder, store: Store, report: Callable[[FillerReport], None]) -> None:
        from projections.answers.queries import next_pages

        self.is_behind = False
        self._folder = folder
        self._store = store
        self._report = report
        self._next_pages = next_pages(store)
        self._due_at = time.monotonic() + KEYS_SECONDS

    def due_in(self) -> float | None:
        """The seconds until it should look again; None if nothing has come in since it did."""
        return max(self._due_at - time.monotonic(), 0.0) if self.is_behind else None

    def ask(self, *, at_once: bool) -> None:
        """Look, if something has come in and it is time to (`at_once`: whether or not it is)."""
        from projections.answers.queries import keys_of_two_members, next_pages
        from tallybook.tables.alarms import alarms_of, not_acknowledged

        started = time.monotonic()
        if not self.is_behind or (started < self._due_at and not at_once):
            return
        first_pages, self._next_pages = self._next_pages, next_pages(self._store)
        found = not_acknowledged(self._folder, keys_of_two_members(self._store, first_pages))
        if found:
            self._report(FillerReport("alarm", "\n".join(alarms_of(found)), keys=len(found)))
        ended = time.monotonic()
        self.is_behind, self._due_at = False, ended + max(KEYS_SECONDS, KEYS_PAUSE * (ended - started))


def _open_tables(
    folder: Folder, log: LogReader, opened: ExitStack, messages: _ParentMessages, report: Callable[[FillerReport], None]
) -> Store:
    """Open the tables of the folder, as soon as no other process has them open."""
    from projections.store import StoreHeld
    from tallybook.tables.catch_up import own_tables

    waited = False
    while True:
        try:
            return opened.enter_context(own_tables(folder, log))
        except StoreHeld as held:
            if messages.is_finishing:
                raise  # whoever has them brings in what was committed
            if not waited:
                report(FillerReport("held", f"{held} Facts are taken in meanwhile"))
            waited = True
            time.sleep(HELD_SECONDS)
