"""Sorts what an import reads: in memory up to a bound, beyond it in sorted runs in a temporary file."""

import heapq
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import IO, Any, Final, Generic, TypeVar

import msgspec

from processors.intake.fact_shapes import AnyShape, build
from processors.intake.refusal import Refusal
from schemas.facts import PublishedFact

MAX_HELD_BYTES: Final = 64 * 1024 * 1024
_LENGTH_BYTES: Final = 4
MAX_RUNS: Final = 500
ARRIVED_BYTES: Final = 100
_CHUNK: Final = 1 << 16


class Arrived(msgspec.Struct, array_like=True, gc=False):
    """One record in the order of arrival: exactly one of `fact` and `refusal` is there.

    `occurred_at` (UTC ms) is the instant that it is sorted by. `input_index` counts the inputs as they were given, from
    0; `rank` their SHA-256 in order, which breaks ties. `parts` names all its places (input_index, record) that were
    not taken in before, where an order has rows in several inputs; else it is empty. `again` is the place, from 1, of
    such an order among those of which rows were read before (0: it is none of them), and `was_read` says that all its
    rows were read before. `is_order` says that its rows were put together. `headless` is an input whose rows name no
    order, and were read before (-1: there is none). The rest is as the reader gave it.
    """

    occurred_at: int
    rank: int
    record: int
    input_index: int
    at_line: int
    fact: PublishedFact | None
    refusal: Refusal | None
    raw: bytes
    headers: dict[str, str]
    parts: tuple[tuple[int, int], ...] = ()
    again: int = 0
    was_read: bool = False
    is_order: bool = False
    headless: int = -1


class _Stored(Arrived):
    """Arrived as it is read back: the fact is decoded as its shape, without the patterns that it passed already."""

    fact: AnyShape | None


# The order of a merge: by instant, then input, then record. The order of arrival: as the inputs were given.
by_time: Final = attrgetter("occurred_at", "rank", "record")
by_arrival: Final = attrgetter("input_index", "record")

Item = TypeVar("Item")


class ExternalSort(Generic[Item]):
    """Holds what arrives and gives it back in the order of `key`; None: in the order in which it came.

    At most about `held_bytes` are held in memory, in terms of what the records took in their input; the rest lies in a
    temporary file in `folder` (None: the system's), which vanishes with close(). Its runs are joined into one whenever
    there are `max_runs` of them. `encode` and `decode` write and read an item there.
    """

    def __init__(
        self,
        key: Callable[[Item], Any] | None,
        encode: Callable[[Item], bytes],
        decode: Callable[[bytes], Item],
        *,
        held_bytes: int = MAX_HELD_BYTES,
        folder: Path | None = None,
        max_runs: int = MAX_RUNS,
    ) -> None:
        self._key = key
        self._encode = encode
        self._decode = decode
        self._room = self._held_bytes = held_bytes
        self._folder = folder
        self._max_runs = max_runs
        self._held: list[Item] = []
        self._runs: list[tuple[int, int]] = []
        self._file: IO[bytes] | None = None

    def add(self, item: Item, size: int) -> None:
        """Add one more, which takes `size` bytes."""
        self._held.append(item)
        self._room -= size
        if self._room < 0:
            if len(self._runs) == self._max_runs:
                self._join_runs()
            self._sort()
            self._put_down(self._held)
            self._held.clear()
            self._room = self._held_bytes

    def drain(self) -> Iterator[Item]:
        """All that was added, in order, once."""
        self._sort()
        held, self._held = self._held, []
        yield from self._merged([*self._read_runs(), _each_once(held)])

    def close(self) -> None:
        """Forget everything and remove the file."""
        self._held.clear()
        self._runs.clear()
        if self._file is not None:
            with suppress(OSError):  # of a full disk, which was met when the file was written
                self._file.close()
            self._file = None

    def _sort(self) -> None:
        if self._key is not None:
            self._held.sort(key=self._key)

    def _merged(self, runs: list[Iterator[Item]]) -> Iterator[Item]:
        """Sorted runs as one, or without a key one run after another."""
        if self._key is None or len(runs) == 1:
            return chain.from_iterable(runs)
        return heapq.merge(*runs, key=self._key)

    def _put_down(self, run: Iterable[Item]) -> None:
        """Write one more run of sorted records."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder, prefix="tallybook-")  # noqa: SIM115 close() closes it
        begin = self._file.seek(0, os.SEEK_END)
        try:
            for item in run:
                body = self._encode(item)
                self._file.write(len(body).to_bytes(_LENGTH_BYTES, "little"))
                self._file.write(body)
            self._file.flush()
        except OSError as error:
            folder = self._folder or tempfile.gettempdir()
            what = f"{error.strerror} (records are sorted there: it needs as much room as the input, or set TMPDIR)"
            raise OSError(error.errno, what, str(folder)) from error
        self._runs.append((begin, self._file.tell()))

    def _join_runs(self) -> None:
        """Make one run of all, in a file of its own, so that there never are more than can be merged at once."""
        joined = self._merged(self._read_runs())
        old, self._file, self._runs = self._file, None, []
        self._put_down(joined)
        if old is not None:
            old.close()

    def _read_runs(self) -> list[Iterator[Item]]:
        if self._file is None:
            return []
        return [_read_run(self._file.fileno(), begin, end, self._decode) for begin, end in self._runs]


def _each_once(held: list[Item]) -> Iterator[Item]:
    """The items of a list, which is emptied meanwhile so that memory becomes free."""
    held.reverse()
    while held:
        yield held.pop()


def _read_run(file: int, begin: int, end: int, decode: Callable[[bytes], Item]) -> Iterator[Item]:
    """The items between two offsets of a file; several runs of it may be read in turns."""
    chunk, at = b"", 0
    while begin < end or at < len(chunk):
        length = int.from_bytes(chunk[at : at + _LENGTH_BYTES], "little")
        if len(chunk) - at < _LENGTH_BYTES + length:
            more = os.pread(file, min(max(_CHUNK, length), end - begin), begin)
            if not more:
                raise OSError("a temporary file is shorter than what was written to it")
            chunk, at, begin = chunk[at:] + more, 0, begin + len(more)
            continue
        at += _LENGTH_BYTES + length
        yield decode(chunk[at - length : at])


def sort_of_arrivals(
    key: Callable[[Arrived], Any] | None, held_bytes: int = MAX_HELD_BYTES, folder: Path | None = None
) -> ExternalSort[Arrived]:
    """A sort of records that arrived; see ExternalSort."""
    return ExternalSort(key, encode_arrived, decode_arrived, held_bytes=held_bytes, folder=folder)


def decode_arrived(content: bytes) -> Arrived:
    """The record that `encode_arrived` wrote."""
    stored = _decode(content)
    if stored.fact is not None:
        stored.fact = build(stored.fact)
    return Arrived(*msgspec.structs.astuple(stored))


encode_arrived: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Stored).decode
