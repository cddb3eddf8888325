"""Opens a folder for writing: takes its lock, opens the books, and recovers its scorers, here or in other processes."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from books.files.consumed import ConsumedCache
from books.files.writer import FileLogWriter
from books.snapshots.due import POSTINGS_AT_THE_END
from processors.embedded.rounds import Rounds
from tallybook.folder.folder import Folder
from tallybook.folder.recovered_partitions import RecoveredPartitions
from tallybook.folder.workers import WorkerPartitionGroup, worker_groups
from tallybook.screen import note, progress

# With less to read than this, other processes are not worth their start (half a second of a core each).
BYTES_WORTH_WORKERS: Final = 8 << 20
MAX_PROCESSES: Final = 64


class Session:
    """Holds open books, and the rounds that may be written to them."""

    def __init__(
        self, log: FileLogWriter, rounds: Rounds, keep_snapshots: Callable[[], None], consumed: ConsumedCache
    ) -> None:
        self.log = log
        self.rounds = rounds
        self._keep_snapshots = keep_snapshots
        self._consumed = consumed

    def keep_snapshots(self) -> None:
        """Save snapshots right after a commit, for a faster start; a failure is only reported, as they are a cache."""
        try:
            self._keep_snapshots()
            self._consumed.save(self.log)
        except OSError as error:
            # Everything decided is committed; a snapshot that is missing costs only time at the next start.
            where = f"{error.filename}: " if error.filename else ""
            note(f"{where}{error.strerror}; the next start reads the books instead of a snapshot")


@contextmanager
def writing_session(folder: Folder, now: int, processes: int = 1) -> Iterator[Session]:
    """Hold the folder, recover every partition, and keep snapshots of what was decided on the way out.

    With `processes` above 1 so many other processes decide, each its group of partitions; the books are the same.

    Raises:
        FolderHeld: another process holds the folder.
        BooksError: the folder has no books, or damaged ones.
        WorkerDied: another process ended by itself; what was committed is kept.
    """
    with (
        folder.writing(now) as log,
        _here(folder, log) if processes == 1 else _by_workers(folder, log, processes) as session,
    ):
        yield session
        if session.rounds.postings_committed >= POSTINGS_AT_THE_END:
            session.keep_snapshots()


def processes_for(asked: int | None, folder: Folder, input_bytes: int) -> int:
    """Say how many processes decide: as many as asked for, else one per core where there is enough to do."""
    if asked is not None:
        return asked
    books = sum(file.stat().st_size for file in folder.books.glob("*/*.avro"))
    return cores() if books + input_bytes >= BYTES_WORTH_WORKERS else 1


def cores() -> int:
    """The cores that this process may use."""
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, MAX_PROCESSES)


@contextmanager
def _here(folder: Folder, log: FileLogWriter) -> Iterator[Session]:
    with progress("reading the books", None) as tick:
        recovered = RecoveredPartitions(folder, log, range(log.partitions), tick)
    group = recovered.group
    yield Session(
        log,
        Rounds(log, [group], group.last_tick, group.publications),
        recovered.keep_snapshots,
        folder.consumed_cache(),
    )


@contextmanager
def _by_workers(folder: Folder, log: FileLogWriter, processes: int) -> Iterator[Session]:
    handle = log.lock_handle()
    if handle is None:
        raise AssertionError("books without a lock cannot be written by several processes")
    with worker_groups(folder.root, log, handle, processes) as groups:
        with progress(f"reading the books in {len(groups)} processes", None):
            readies = [group.ready() for group in groups]
        if len({(ready.last_tick, len(ready.publications)) for ready in readies}) != 1:
            raise AssertionError(f"groups that stand at different ticks: {[ready.last_tick for ready in readies]}")
        rounds = Rounds(log, groups, readies[0].last_tick, readies[0].publications)
        yield Session(log, rounds, lambda: _keep_everywhere(groups), folder.consumed_cache())


def _keep_everywhere(groups: Sequence[WorkerPartitionGroup]) -> None:
    for group in groups:
        group.ask_keep()
    failures = [failure for failure in [group.kept() for group in groups] if failure is not None]
    if failures:
        raise failures[0]
