"""Decides partitions of a re-scoring in child processes; each partition's files are whole before it counts as done."""

from __future__ import annotations

import os
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection, wait
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, Final, Literal, cast

import msgspec

from books.errors import BooksError
from books.log import LogReader
from processors.replay.rescore.differences import LineDifference, MemberDifference
from processors.replay.rescore.partition_run import Kept, PartitionRescored, rescore_partition
from tallybook.child_process import Child
from tallybook.folder.folder import Folder, load_published
from tallybook.open_books import open_books
from tallybook.rescore.plan import Plan, RescoreRefused
from tallybook.rescore.runs import LINES, MEMBERS, TEMPORARY, Run

PROGRESS_SECONDS: Final = 0.2
STOP_SECONDS: Final = 2.0
BUFFER_BYTES: Final = 1 << 20
_RANDOM_BYTES: Final = 8


class WorkerDied(ChildProcessError):
    """A process that decided ended before its time; `strerror` is the message."""


class Report(msgspec.Struct):
    """What a child says: so many postings more, a partition is done, or it cannot go on.

    Where the disk would not have it, `code` is the system's number, `text` its words, and `file` the file.
    """

    kind: Literal["progress", "done", "refused", "unwritten", "failed"]
    postings: int = 0
    done: PartitionRescored | None = None
    text: str = ""
    code: int = 0
    file: str = ""


def rescore_in_children(
    folder: Folder,
    run: Run,
    partitions: Sequence[int],
    processes: int,
    on_postings: Callable[[int], object],
    is_stopping: Callable[[], bool],
) -> None:
    """Re-score these partitions in so many processes, largest first; ends early when `is_stopping` says so.

    Raises:
        RescoreRefused: the base is not proven, or the books cannot be read.
        OSError: the disk is full.
        WorkerDied: a process ended by itself. What was finished is kept.
    """
    waiting = deque(partitions)
    with ExitStack() as opened:
        children: dict[Connection, Child] = {}
        for number in range(min(processes, len(partitions))):
            child = Child(f"rescore-{number}", _decide, folder.root, run.number)
            opened.callback(child.kill)
            children[child.connection] = child
            child.connection.send_bytes(msgspec.json.encode(waiting.popleft()))
        while children and not is_stopping():
            for ready in wait(list(children), PROGRESS_SECONDS):
                connection = cast("Connection", ready)
                report = _received(children[connection])
                on_postings(report.postings)
                if report.done is None:
                    continue
                run.finish(report.done)
                if waiting:
                    connection.send_bytes(msgspec.json.encode(waiting.popleft()))
                else:
                    children.pop(connection).stop(STOP_SECONDS)


def _received(child: Child) -> Report:
    try:
        report = msgspec.json.decode(child.connection.recv_bytes(), type=Report)
    except (EOFError, OSError):
        code = child.wait(STOP_SECONDS)
        raise WorkerDied(
            0, f"a process that re-scored ended by itself (exit code {code}); the same command goes on from there"
        ) from None
    if report.kind == "refused":
        raise RescoreRefused(report.text)
    if report.kind == "unwritten":
        raise OSError(report.code, report.text, report.file)
    if report.kind == "failed":
        raise WorkerDied(0, f"a process that re-scored failed:\n{report.text}")
    return report


def _decide(connection: Connection, root: Path, number: str) -> None:
    """The child: decide one partition after the other, as the parent names them, until it closes the pipe."""
    os.environ["TZ"] = "UTC"
    folder = Folder(root)
    run = Run(folder.rescores, number)
    report = _Reporter(connection)
    try:
        try:
            _decide_all(folder, run, connection, report)
        except BrokenPipeError:
            raise
        except BooksError as unreadable:
            report.send(Report("refused", text=str(unreadable)))
        except OSError as unwritten:
            text, file = unwritten.strerror or str(unwritten), str(unwritten.filename or run.place)
            report.send(Report("unwritten", text=text, code=unwritten.errno or 0, file=file))
        except Exception:  # noqa: BLE001 - whatever it is, the parent ends with it
            report.send(Report("failed", text=traceback.format_exc()))
    except BrokenPipeError:
        os._exit(1)  # the parent is gone


def _decide_all(folder: Folder, run: Run, connection: Connection, report: _Reporter) -> None:
    plan = run.plan()
    with open_books(folder) as log:
        while True:
            try:
                partition = msgspec.json.decode(connection.recv_bytes(), type=int)
            except (EOFError, OSError):
                return
            report.done(_rescore_into_files(log, run, plan, partition, report.postings))


def _rescore_into_files(
    log: LogReader, run: Run, plan: Plan, partition: int, on_postings: Callable[[int], object]
) -> PartitionRescored:
    with ExitStack() as opened:
        kept = [
            Kept(
                draft.layers,
                _writer(opened, run.file(draft.name, partition, LINES)),
                _writer(opened, run.file(draft.name, partition, MEMBERS)),
            )
            for draft in plan.drafts
        ]
        return rescore_partition(
            log,
            plan.base,
            plan.cuts[partition],
            kept,
            load_published,
            selection=plan.selection,
            on_postings=on_postings,
        )


def _writer(opened: ExitStack, path: Path) -> Callable[[LineDifference | MemberDifference], None]:
    """Append rows as JSON lines to a file that takes its name when `opened` ends without an error.

    Until then it has a name of its own: a process whose parent was killed may be writing the same rows for a moment.
    """
    temporary = path.with_name(f"{path.name}.{token_hex(_RANDOM_BYTES)}{TEMPORARY}")
    file: BinaryIO = temporary.open("wb", buffering=BUFFER_BYTES)
    encoder, buffer = msgspec.json.Encoder(), bytearray()

    def finish(kind: type[BaseException] | None, *_: object) -> None:
        with file:
            file.flush()
            os.fsync(file.fileno())
        if kind is None:
            temporary.replace(path)
        else:
            temporary.unlink()

    def write(row: LineDifference | MemberDifference) -> None:
        encoder.encode_into(row, buffer)
        buffer.extend(b"\n")
        file.write(buffer)

    opened.push(finish)
    return write


class _Reporter:
    """Tells the parent how far this process is, a few times a second."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._postings = 0
        self._at = time.monotonic()

    def postings(self, more: int) -> None:
        """Count postings, and tell of them now and then."""
        self._postings += more
        if time.monotonic() - self._at >= PROGRESS_SECONDS:
            self.send(Report("progress"))

    def done(self, partition: PartitionRescored) -> None:
        """Tell that a partition is finished."""
        self.send(Report("done", done=partition))

    def send(self, report: Report) -> None:
        """Send a report with all postings not yet told of."""
        report.postings, self._postings, self._at = self._postings, 0, time.monotonic()
        self._connection.send_bytes(msgspec.json.encode(report))
