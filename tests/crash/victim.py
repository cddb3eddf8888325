"""The command line with ports that count, note and kill, which the crash tests start in place of `tallybook`.

    python -m tests.crash.victim ORDERS ARGUMENTS…     ORDERS is a file that holds `Orders` as JSON

Every call of a port is noted in a trace, one file a process, so that a first run tells how many there are of each kind.
A process that is started by this one (multiprocessing, spawn) imports this module again, and is under the same orders.
The product knows nothing of all this. Round, batch and snapshot sizes are made small, so that a small input has many.
"""

import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

import tallybook.clock
from books.files.disk import RealFiles, _RealAppend
from projections.store import Columns, Store
from tallybook.folder.folder import Folder

ORDERS: Final = "TALLYBOOK_CRASH_ORDERS"
MAIN: Final = "main"
COMMIT_FACTS: Final = 60
BATCH_BYTES: Final = 20_000
SNAPSHOT_AFTER_POSTINGS: Final = 0
FOLLOW_SNAPSHOT_POSTINGS: Final = 200
FOLDER_KINDS: Final = ("truncate", "rename", "remove", "make_folder", "sync_folder")
FILE_KINDS: Final = ("append", "flush", "fsync")
STORE_KINDS: Final = ("insert", "marker")
KINDS: Final = (*FILE_KINDS, *FOLDER_KINDS, *STORE_KINDS)
DEAD: Final = "dead"  # the file of a trace that says that somebody died as ordered
MARKERS: Final = "progress"  # the table of markers
SECONDS: Final = "seconds"  # begins the line of a trace that says how long the command took


class Orders(msgspec.Struct, frozen=True):
    """What the victim is to do beside its command.

    It kills itself `when` (before, after, half: in the midst of it) call number `nth` (from 1) of `kind` in the process
    called `role`, once, none if `kind` is empty. `trace` is the folder of the traces; `answers` the file for what all
    views answer after a command that ended well, none if empty. Its clock shows `now` (UTC ms) and stands still; with a
    `speed` it showed that at the machine's `epoch` (UTC ms), and has run so many times as fast as the machine's since.
    """

    trace: str
    kind: str = ""
    nth: int = 0
    when: str = "before"
    role: str = MAIN
    answers: str = ""
    now: int = 0
    speed: int = 0
    epoch: int = 0


def _role() -> str:
    return MAIN if __name__ == "__main__" else multiprocessing.current_process().name


class _Watch:
    """Notes every call of a port, and strikes at the one that was ordered."""

    def __init__(self, orders: Orders, role: str) -> None:
        self._orders = orders
        self._mine = orders.role == role
        self._seen: Counter[str] = Counter()
        self._counting = threading.Lock()
        file = Path(orders.trace) / f"{role}.{os.getpid()}"
        self._fd = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def note(self, line: str) -> None:
        os.write(self._fd, line.encode() + b"\n")

    def call(self, kind: str, whole: Callable[[], Any], half: Callable[[], object] | None = None) -> Any:
        """Make a call, unless this is the one before (or in) which to die; one after which to die is noted as made."""
        with self._counting:  # several files are brought to the disk at once, each by a thread
            self._seen[kind] += 1
            struck = self._mine and kind == self._orders.kind and self._seen[kind] == self._orders.nth
        self.note(kind)
        if struck and self._orders.when != "after":
            if self._orders.when == "half" and half is not None and not self._has_struck():
                half()
            self.die()
        result = whole()
        if struck:
            self.die()
        return result

    def _has_struck(self) -> bool:
        return (Path(self._orders.trace) / DEAD).exists()

    def die(self) -> None:
        """End as `kill -9` ends a process: no handler, no buffer, no farewell."""
        try:
            os.close(os.open(Path(self._orders.trace) / DEAD, os.O_CREAT | os.O_EXCL, 0o644))
        except FileExistsError:  # a process of this role was started again in the place of the one that died
            return
        os.kill(os.getpid(), signal.SIGKILL)


def _watch_files(watch: _Watch) -> None:
    for kind in FOLDER_KINDS:
        _put(RealFiles, kind, _watched(watch, kind, getattr(RealFiles, kind)))
    append, flush, fsync = _RealAppend.append, _RealAppend.flush, _RealAppend.fsync

    def watched_append(self: _RealAppend, data: bytes) -> None:
        def half() -> None:
            append(self, data[: len(data) // 2])
            flush(self)

        watch.call("append", lambda: append(self, data), half)

    def watched_flush(self: _RealAppend) -> None:
        def half() -> None:
            waiting = b"".join(self._pieces)
            os.write(self._fd, waiting[: len(waiting) // 2])

        watch.call("flush", lambda: flush(self), half)

    _put(_RealAppend, "append", watched_append)
    _put(_RealAppend, "flush", watched_flush)
    _put(_RealAppend, "fsync", _watched(watch, "fsync", fsync))


def _put(owner: object, name: str, value: object) -> None:
    """Put something in the place of what must not be assigned to, as mypy sees it: a method or a constant."""
    setattr(owner, name, value)


def _watched(watch: _Watch, kind: str, method: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *given: watch.call(kind, lambda: method(*given))


def _watch_store(watch: _Watch) -> None:
    """The engine is slow to load, so its port is wrapped when a folder's tables are first opened."""
    opening = Folder.store
    wrapped: list[object] = []

    @contextmanager
    def store(folder: Folder) -> Iterator[Store]:
        from projections.clickhouse.client import ClickHouse  # noqa: PLC0415 not before it is needed

        if not wrapped:
            insert, insert_staged = ClickHouse.insert, ClickHouse.insert_staged

            def watched_insert(self: ClickHouse, table: str, columns: Columns) -> None:
                watch.call("marker" if table == MARKERS else "insert", lambda: insert(self, table, columns))

            _put(ClickHouse, "insert", watched_insert)
            _put(ClickHouse, "insert_staged", _watched(watch, "insert", insert_staged))
            wrapped.append(ClickHouse)
        with opening(folder) as opened:
            yield opened

    _put(Folder, "store", store)


def _make_small(orders: Orders) -> None:
    """Small rounds, batches and snapshots, and a clock of our own (of two runs only one thing may differ)."""
    real = tallybook.clock.now_ms

    def now_ms() -> int:
        return orders.now + (real() - orders.epoch) * orders.speed if orders.speed else orders.now

    _put(tallybook.clock, "now_ms", now_ms)
    from projections.projector import project  # noqa: PLC0415 after the clock, which others take by name
    from tallybook.folder import import_files, session  # noqa: PLC0415 after the clock, as the line above
    from tallybook.follow import follow as following  # noqa: PLC0415 after the clock, as the lines above

    _put(session, "POSTINGS_AT_THE_END", SNAPSHOT_AFTER_POSTINGS)
    _put(following, "POSTINGS_WHILE_FOLLOWING", FOLLOW_SNAPSHOT_POSTINGS)
    _set_default(import_files.Importer.__init__, "commit_facts", COMMIT_FACTS)
    _set_default(project, "batch_bytes", BATCH_BYTES)


def _set_default(function: Callable[..., object], name: str, value: int) -> None:
    defaults = getattr(function, "__kwdefaults__", {})
    if name not in defaults:
        raise AssertionError(f"{function} has no {name}: this test makes it small, to have many of what there is one")
    defaults[name] = value


def _answer(folder: Path, file: Path) -> None:
    from tests.sql.projected_books import answers  # noqa: PLC0415 loads the SQL, which a victim that dies does not need

    with Folder(folder).store() as store:
        found = answers(store)
    file.write_text(
        json.dumps({view: [row.decode(errors="backslashreplace") for row in rows] for view, rows in found.items()})
    )


def main(orders: Orders) -> None:
    """Run the command; a good end is that of the command, after the answers."""
    from tallybook.cli.main import main as command  # noqa: PLC0415 after the clock is set, which it takes by name

    sys.argv = ["tallybook", *sys.argv[2:]]
    code: Any = 0
    started = time.perf_counter()
    try:
        command()
    except SystemExit as ended:
        code = ended.code
    _watching.note(f"{SECONDS} {time.perf_counter() - started:.3f}")
    if orders.answers and code in {0, 4}:
        _answer(Path(sys.argv[sys.argv.index("-C") + 1]), Path(orders.answers))
    sys.exit(code)


if __name__ == "__main__":
    os.environ[ORDERS] = sys.argv[1]
if ORDERS in os.environ:  # a child of the victim finds them here; anybody else imports this for its names
    _orders = msgspec.json.decode(Path(os.environ[ORDERS]).read_bytes(), type=Orders)
    _watching = _Watch(_orders, _role())
    _watch_files(_watching)
    _watch_store(_watching)
    _make_small(_orders)
    if __name__ == "__main__":
        _watching.note("ready")
        main(_orders)
