"""Puts standard input into the inbox as files, each on the disk before it gets a name by which it is read."""

import os
import select
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from books.files.disk import AppendFile, FilePort
from processors.intake.formats import Format
from tallybook.clock import Clock
from tallybook.follow.inbox import REFUSED, free_name

PIECE_MS: Final = 200  # how long the first line of a piece waits for others
PIECE_BYTES: Final = 4 << 20
MAX_TAIL_BYTES: Final = 2 << 20  # of a line that has not ended yet, held in memory
READ_BYTES: Final = 1 << 16
WAIT_SECONDS: Final = 0.05
PREFIX: Final = "stdin-"
PART: Final = ".part"
ENDINGS: Final[dict[Format, str]] = {"json-lines": ".jsonl", "csv": ".csv", "avro": ".avro", "parquet": ".parquet"}


class Spool:
    """Writes what comes into files of the inbox: pieces of whole lines, or in other formats one file of it all."""

    def __init__(self, inbox: Path, files: FilePort, form: Format, expect: Callable[[str], None]) -> None:
        self._inbox = inbox
        self._files = files
        self._form = form
        self._expect = expect
        self._part: AppendFile | None = None
        self._name = ""
        self._pieces = 0
        self._bytes = 0
        self._began = 0
        self._tail = b""
        self._is_within_line = False

    def recover(self, now: int) -> int:
        """Name the pieces that a killed process left, cut to whole lines; gives how many there were.

        Only the holder of the folder may call it: nobody else can spool into this inbox then.
        """
        found = [name for name in self._files.names(self._inbox) if name.startswith("." + PREFIX)]
        for name in found:
            part, named = self._inbox / name, name.removeprefix(".").removesuffix(PART)
            whole = _whole_bytes(part) if named.endswith(ENDINGS["json-lines"]) else 0
            if whole:
                self._files.truncate(part, whole)
                self._expect(named)
                self._files.rename(part, free_name(self._inbox, named, now))
            elif self._files.size(part):
                self._files.make_folder(self._inbox / REFUSED)
                self._files.rename(part, free_name(self._inbox / REFUSED, named, now))
            else:
                self._files.remove(part)
        return len(found)

    def feed(self, data: bytes, now: int) -> None:
        """Write what was read at `now` (UTC ms)."""
        if self._form != "json-lines":
            self._append(data, now)
            return
        if self._is_within_line:
            end = data.find(b"\n") + 1
            if not end:
                self._append(data, now)
                return
            self._append(data[:end], now)
            self._is_within_line, data = False, data[end:]
        lines, end_of_line, tail = data.rpartition(b"\n")
        if end_of_line:
            self._append(self._tail + lines + end_of_line, now)
            self._tail = tail
        else:
            self._tail += tail
        if len(self._tail) > MAX_TAIL_BYTES:
            self._append(self._tail, now)
            self._is_within_line, self._tail = True, b""

    def cut_if_due(self, now: int) -> None:
        """Name the present piece if it is old or large enough."""
        if self._part is None or self._is_within_line or self._form != "json-lines":
            return
        if self._bytes >= PIECE_BYTES or not self._began <= now < self._began + PIECE_MS:
            self._cut()

    def end(self, now: int) -> None:
        """Name the rest, now that standard input has ended; its last line may lack its end."""
        if self._tail:
            self._append(self._tail, now)
            self._tail = b""
        if self._part is not None:
            self._cut()

    def leave(self) -> None:
        """Name the whole lines that there are: no more will be read, though more may come."""
        if self._part is not None and self._form == "json-lines":
            self._cut()

    def _append(self, data: bytes, now: int) -> None:
        if not data:
            return
        if self._part is None:
            self._pieces += 1
            self._name = f"{PREFIX}{now}-{self._pieces:06d}{ENDINGS[self._form]}"
            self._part = self._files.open_append(self._inbox / f".{self._name}{PART}")
            self._began, self._bytes = now, 0
        self._part.append(data)
        self._bytes += len(data)

    def _cut(self) -> None:
        part, self._part = self._part, None
        if part is None:
            raise AssertionError("there is no piece to cut")
        part.fsync()
        part.close()
        target = free_name(self._inbox, self._name, self._began)
        self._expect(target.name)
        self._files.rename(self._inbox / f".{self._name}{PART}", target)
        self._files.sync_folder(self._inbox)
        self._is_within_line = False


class SpoolingThread:
    """Reads a descriptor into a spool, in a thread that ends with the process."""

    def __init__(self, spool: Spool, descriptor: int, clock: Clock) -> None:
        self.has_ended = False
        self.is_held = False  # while this is set nothing is read, so that whoever writes to the pipe waits
        self._error: BaseException | None = None
        self._spool = spool
        self._descriptor = descriptor
        self._clock = clock
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._stop = threading.Event()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def check(self) -> None:
        """Raise what went wrong while spooling, such as OSError of a full disk."""
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Read no more, and name what was read."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                if self._can_read():
                    data = os.read(self._descriptor, READ_BYTES)
                    if not data:
                        self._spool.end(self._clock())
                        self.has_ended = True
                        return
                    self._spool.feed(data, self._clock())
                self._spool.cut_if_due(self._clock())
            self._spool.leave()
        except Exception as error:  # noqa: BLE001 - nothing is lost: `check` raises it in the thread that can answer
            self._error = error

    def _can_read(self) -> bool:
        if self.is_held:
            self._stop.wait(WAIT_SECONDS)
            return False
        readable, _, _ = select.select([self._descriptor], [], [], WAIT_SECONDS)
        return bool(readable)


def _whole_bytes(part: Path) -> int:
    """The length of the whole lines at the head of a file."""
    whole = at = 0
    with part.open("rb") as file:
        while data := file.read(READ_BYTES):
            end = data.rfind(b"\n") + 1
            whole = at + end if end else whole
            at += len(data)
    return whole
