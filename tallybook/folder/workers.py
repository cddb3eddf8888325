"""Decides groups of partitions in processes of their own; this one reads, puts in order and commits.

A worker holds a copy of the lock's descriptor, so that the folder stays held until the last worker has ended: whoever
dies, the next run finds no other process at the files.

The messages between the processes are MessagePack. Their facts have passed the door already, so they are decoded
without checking their text patterns again.
"""

import os
import pickle
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from enum import IntEnum
from multiprocessing.connection import Connection
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any, Final

import msgspec

from books.files.appender import FileAppender
from books.log import LogWriter
from processors.embedded.partition_group import LineToScore, Sealed
from processors.intake.fact_shapes import SHAPES, AnyShape, build
from processors.partition_scorer import Owed
from schemas.facts import ClockTicked, RefereePurchased, RulesetPublished
from tallybook.child_process import Child
from tallybook.folder.folder import Folder
from tallybook.folder.recovered_partitions import RecoveredPartitions

_SHAPES: Final = frozenset(SHAPES.values())
encode: Final = msgspec.msgpack.Encoder().encode
decode_owed: Final = msgspec.msgpack.Decoder(list[Owed]).decode
decode_sealed: Final = msgspec.msgpack.Decoder(Sealed).decode
STOP_SECONDS: Final = 30.0


class Ready(msgspec.Struct, frozen=True):
    """What a group says when its partitions are recovered to the end of the books, the same for all of them."""

    last_tick: int
    publications: list[RulesetPublished]


class _LineToScore(msgspec.Struct, array_like=True, gc=False):
    partition: int
    fact: AnyShape | RefereePurchased | ClockTicked | RulesetPublished
    member_id: str | None
    source: str
    record: int


decode_ready: Final = msgspec.msgpack.Decoder(Ready).decode
_decode_lines: Final = msgspec.msgpack.Decoder(tuple[int, list[_LineToScore]]).decode


def encode_lines(lines: Sequence[LineToScore], received_at: int) -> bytes:
    """Lines to be scored."""
    return encode((received_at, lines))


def decode_lines(data: bytes) -> tuple[list[LineToScore], int]:
    """Lines to be scored, and when they reached us."""
    received_at, told = _decode_lines(data)
    lines = [
        LineToScore(
            each.partition,
            build(each.fact) if type(each.fact) in _SHAPES else each.fact,
            each.member_id,
            each.source,
            each.record,
        )
        for each in told
    ]
    return lines, received_at


class WorkerDied(ChildProcessError):
    """A deciding process ended before its time; `strerror` is the message."""


class _Ask(IntEnum):
    SCORE = 1
    OWED = 2
    SEAL = 3
    KEEP = 4
    FAILED = 5
    ANSWER = 6


class WorkerPartitionGroup:
    """Has another process decide a group; see processors.embedded.partition_group.PartitionGroup."""

    def __init__(self, child: Child, partitions: Sequence[int]) -> None:
        self._child = child
        self.partitions = partitions

    def ready(self) -> Ready:
        """Wait until the group stands at the end of the books."""
        return decode_ready(self._answer())

    def score(self, lines: Sequence[LineToScore], received_at: int) -> None:
        """Journal and decide lines; see PartitionGroup."""
        self._ask(_Ask.SCORE, encode_lines(lines, received_at))

    def ask_owed(self) -> None:
        """Ask for the derived facts."""
        self._ask(_Ask.OWED)

    def owed(self) -> list[Owed]:
        """Wait for the derived facts owed since last asked."""
        return decode_owed(self._answer())

    def ask_seal(self) -> None:
        """Ask that everything scored be made durable."""
        self._ask(_Ask.SEAL)

    def sealed(self) -> Sealed:
        """Wait until it is durable; gives what was."""
        return decode_sealed(self._answer())

    def ask_keep(self) -> None:
        """Ask that snapshots be kept of the committed state."""
        self._ask(_Ask.KEEP)

    def kept(self) -> OSError | None:
        """Wait until snapshots are kept; gives the error if they could not be."""
        told = self._answer()
        failure: OSError | None = pickle.loads(told) if told else None  # noqa: S301 - from our own child
        return failure

    def _ask(self, ask: _Ask, data: bytes = b"") -> None:
        try:
            self._child.connection.send_bytes(bytes([ask]) + data)
        except OSError:
            self._answer()  # raises what the worker reported before it died, if it did
            raise

    def _answer(self) -> bytes:
        try:
            data = self._child.connection.recv_bytes()
        except (EOFError, OSError):
            code = self._child.wait(STOP_SECONDS)
            how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
            raise WorkerDied(0, f"a deciding process ended by itself ({how}); run the same command again") from None
        if data[0] == _Ask.FAILED:
            failure = pickle.loads(data[1:])  # noqa: S301 - from our own child
            raise failure
        return data[1:]


class _SharedLock:
    """Passes a copy of a descriptor to a spawned process."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __getstate__(self) -> Any:
        return DupFd(self.fd)

    def __setstate__(self, copied: Any) -> None:
        self.fd = copied.detach()


@contextmanager
def worker_groups(root: Path, log: LogWriter, handle: int, processes: int) -> Iterator[list[WorkerPartitionGroup]]:
    """Start so many processes, each deciding its group of partitions of the folder `root`, which `log` holds.

    `handle` is the descriptor of the lock. At the end all workers are gone.
    """
    partitions = range(log.opened().partitions)
    with ExitStack() as stack:
        groups = []
        for number in range(min(processes, len(partitions))):
            mine = tuple(partitions[number::processes])
            child = Child("deciding", _work, root, mine, _SharedLock(handle))
            stack.callback(child.stop, STOP_SECONDS)
            groups.append(WorkerPartitionGroup(child, mine))
        yield groups


def _work(connection: Connection, root: Path, partitions: Sequence[int], lock: _SharedLock) -> None:
    """Work until the pipe closes: the parent has no more to decide, or is gone."""
    try:
        _serve(root, partitions, connection)
    except EOFError:
        pass
    except BaseException as failure:  # noqa: BLE001 - it is raised again in the process that waits for it
        _tell_failure(connection, failure)
    finally:
        os.close(lock.fd)


def _serve(root: Path, partitions: Sequence[int], connection: Connection) -> None:
    with closing(FileAppender(root)) as log:
        recovered = RecoveredPartitions(Folder(root), log, partitions)
        group = recovered.group

        def score(data: bytes) -> None:
            group.score(*decode_lines(data))

        def owed(_: bytes) -> bytes:
            return encode(group.owed())

        def seal(_: bytes) -> bytes:
            return encode(msgspec.structs.replace(group.sealed(), lengths=log.seal()))

        def keep(_: bytes) -> bytes:
            try:
                recovered.keep_snapshots()
            except OSError as error:  # a snapshot is a cache: the worker goes on
                return pickle.dumps(error)
            return b""

        answers: dict[int, Callable[[bytes], bytes | None]] = {
            _Ask.SCORE: score,
            _Ask.OWED: owed,
            _Ask.SEAL: seal,
            _Ask.KEEP: keep,
        }
        _answer(connection, encode(Ready(group.last_tick, group.publications)))
        while True:
            asked = connection.recv_bytes()
            answer = answers[asked[0]](asked[1:])
            if answer is not None:
                _answer(connection, answer)


def _answer(connection: Connection, data: bytes) -> None:
    connection.send_bytes(bytes([_Ask.ANSWER]) + data)


def _tell_failure(connection: Connection, failure: BaseException) -> None:
    """Send what went wrong, with its traceback; end at once where the parent is gone too."""
    failure.add_note("In a deciding process:\n" + "".join(traceback.format_exception(failure)))
    try:
        connection.send_bytes(bytes([_Ask.FAILED]) + pickle.dumps(failure))
    except OSError:
        os._exit(1)
