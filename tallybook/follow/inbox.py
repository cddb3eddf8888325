"""Watches the inbox of a follow: gives out files once they are whole, and moves them away once they are taken in."""

import heapq
import os
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from books.files.disk import FilePort
from processors.intake.file_sequence import NameKey, by_name
from schemas.instants import format_instant

SUFFIXES: Final = (".jsonl", ".json", ".ndjson", ".csv", ".tsv", ".avro", ".parquet")
LEFT_ALONE_PREFIXES: Final = (".", "_")
UNFINISHED_SUFFIXES: Final = (".part", ".tmp", ".filepart", ".crdownload")
TAKEN: Final = "taken"
REFUSED: Final = "refused"

QUIET_MS: Final = 100  # a file is whole if its end looks whole and it has not changed for this long
LONG_QUIET_MS: Final = 5_000  # or if it has not changed for this long, whatever its end: its writer may be slow
EMPTY_QUIET_MS: Final = 60_000  # or if it is empty: a shell makes the file before it starts the command that fills it
SCAN_BUSY_MS: Final = 1_000  # between two looks at the folder while files wait
MAX_WAITING: Final = 10_000  # files known at a time; the others are found when these are taken in
MAX_HELD_MS: Final = 6 * 3_600_000  # how long a file that keeps changing holds back the ticks
RECHECK_MS: Final = 10_000  # a taken file is looked at once more after this long
MAX_RECHECKED: Final = 1_000
MAX_MENTIONED: Final = 1_000
MAX_NAMES_TRIED: Final = 10_000
_WHOLE_ENDS: Final = (b"\n", b"PAR1")
_END_BYTES: Final = 4

Order = tuple[int, int, NameKey]
Stamp = tuple[int, int, int]  # inode, bytes, time of the last change in ns
Say = Callable[[str], None]
State = Literal["gone", "unfinished", "whole"]


def is_inbox_file(name: str) -> bool:
    """Whether a file of this name is to be taken in: of a known kind, and not hidden or still being written."""
    lower = name.lower()
    return not is_left_alone(name) and lower.endswith(SUFFIXES)


def is_left_alone(name: str) -> bool:
    """Whether a file of this name is to be left alone: it is hidden or still being written."""
    return name.startswith(LEFT_ALONE_PREFIXES) or name.lower().endswith(UNFINISHED_SUFFIXES)


class Waiting(msgspec.Struct):
    """Describes a file that was found. It came after the instant `after` (UTC ms), at which it was not there yet."""

    name: str
    stamp: Stamp
    quiet_since: int
    scan: int
    after: int
    found_at: int
    ends_whole: bool
    was_seen_changing: bool = False
    is_settled: bool = False
    was_long_quiet: bool = False

    def order(self) -> Order:
        """The order of arrival: as found, then by the time of the last change, then by name, numbers as numbers."""
        return self.scan, self.stamp[2], by_name(self.name)


class Inbox:
    """Knows the files of one folder in the order of their arrival. All instants are UTC ms, given by the caller."""

    def __init__(self, folder: Path, files: FilePort, say: Say) -> None:
        self.folder = folder
        self.is_missing = False
        self.scanned_at = 0
        self._files = files
        self._say = say
        self._scans = 0
        self._due = 0
        self._waiting: dict[str, Waiting] = {}
        self._ready: list[tuple[Order, str]] = []
        self._given: dict[str, Waiting] = {}
        self._stuck: dict[str, Stamp] = {}
        self._whole: set[str] = set()
        self._mentioned: set[str] = set()
        self._moved: deque[tuple[int, Path, Stamp, str]] = deque(maxlen=MAX_RECHECKED)
        self._is_truncated = False

    @property
    def waiting(self) -> int:
        """How many files are known and not yet given out."""
        return len(self._waiting)

    @property
    def ready(self) -> int:
        """How many of them are whole."""
        return len(self._ready)

    def expect(self, name: str) -> None:
        """Treat a file of this name as whole when it appears."""
        self._whole.add(name)

    def scan(self, now: int, since: int) -> None:
        """Look at the folder if it is time to; `now` is the clock as it stands, `since` one that never goes back."""
        if self._ready and (self._is_truncated or self._due - SCAN_BUSY_MS <= now < self._due):
            return
        self._due = now + SCAN_BUSY_MS
        self._recheck(now)
        try:
            there = {path.name for path in self.folder.iterdir()}
        except FileNotFoundError:
            self._lose()
            return
        self.is_missing = False
        self._scans += 1
        for gone in self._waiting.keys() - there:
            self._drop(gone)
        self._find(there, now)
        self._settle(now)
        self.scanned_at = since

    def next(self) -> Waiting | None:
        """Give out the whole file that came first; the caller hands it back with one of the methods below."""
        while self._ready:
            _, name = heapq.heappop(self._ready)
            found = self._waiting.pop(name, None)
            if found is not None:
                self._given[name] = found
                return found
        return None

    def holds(self, hour: int, now: int) -> bool:
        """Whether a file may be waiting that came before `hour`."""
        if self.is_missing or self._is_truncated or self.scanned_at < hour:
            return True
        return any(
            each.after < hour and (each.is_settled or now - each.found_at < MAX_HELD_MS)
            for each in self._waiting.values()
        )

    def look_again(self, given: Waiting) -> State:
        """Say what became of a file that was given out and cannot be read; one that is gone is forgotten."""
        stamp = _stamp(self.folder / given.name)
        if stamp is None:
            self._given.pop(given.name, None)
            return "gone"
        return "whole" if stamp == given.stamp and given.was_long_quiet else "unfinished"

    def put_back(self, name: str) -> None:
        """Take back a file that was given out before it was whole: wait until it has not changed for longer."""
        found = self._given.pop(name, None)
        if found is not None:
            found.is_settled, found.ends_whole, found.stamp = False, False, (0, 0, 0)
            self._waiting[name] = found

    def keep_taken(self, name: str, now: int) -> None:
        """Move a file that was given out, and is in the books, to `taken`."""
        found = self._given.pop(name, None)
        if found is None:
            return
        target = self._move(name, TAKEN, now, found.stamp)
        if target is None:
            return
        moved = _stamp(target)
        if moved is not None and moved != found.stamp:
            self._return(target, name)  # another file came under the same name, or this one grew
        elif moved is not None:
            self._moved.append((now, target, moved, name))

    def keep_refused(self, name: str, reason: str, now: int) -> None:
        """Move a file that was given out, and cannot be read, to `refused`, with the reason beside it."""
        found = self._given.pop(name, None)
        if found is None:
            return
        target = self._move(name, REFUSED, now, found.stamp)
        if target is None:
            return
        try:
            target.with_name(target.name + ".reason.txt").write_text(reason + "\n", encoding="utf-8")
        except OSError as error:
            self._say(f"{target}: the reason could not be put beside it: {error.strerror}")
        self._say(f"{reason}\nThe file is now in {target.parent}; other files are taken in as before.")

    # -- inside

    def _find(self, there: set[str], now: int) -> None:
        names = (name for name in there - self._waiting.keys() - self._given.keys() if self._is_ours(name))
        room = max(0, MAX_WAITING - len(self._waiting))
        found = heapq.nsmallest(room + 1, self._look(names, now), key=Waiting.order)
        self._is_truncated = len(found) > room
        for each in found[:room]:
            self._waiting[each.name] = each

    def _is_ours(self, name: str) -> bool:
        if is_inbox_file(name):
            return True
        is_new = not is_left_alone(name) and name not in {TAKEN, REFUSED} and name not in self._mentioned
        if is_new and len(self._mentioned) < MAX_MENTIONED:
            self._mentioned.add(name)
            self._say(f"{self.folder / name} is ignored: the name of a file of events ends in {', '.join(SUFFIXES)}")
        return False

    def _look(self, names: Iterator[str], now: int) -> Iterator[Waiting]:
        for name in names:
            path = self.folder / name
            stamp = _stamp(path)
            if stamp is None or self._stuck.get(name) == stamp:
                continue
            self._stuck.pop(name, None)
            ends_whole = name in self._whole or _ends_whole(path)
            yield Waiting(name, stamp, now, self._scans, self.scanned_at, now, ends_whole)

    def _settle(self, now: int) -> None:
        for each in list(self._waiting.values()):
            if each.is_settled:
                continue
            path = self.folder / each.name
            stamp = _stamp(path)
            if stamp is None:
                self._drop(each.name)
                continue
            if stamp != each.stamp:
                each.ends_whole = each.stamp[0] != 0 and _ends_whole(path)
                each.stamp, each.quiet_since, each.was_seen_changing = stamp, now, True
            each.quiet_since = min(each.quiet_since, now)  # the clock may have been put back
            quiet = now - each.quiet_since
            if not each.was_seen_changing:  # else the file's own time is not trusted: clocks of file servers differ
                quiet = max(quiet, now - stamp[2] // 1_000_000)
            each.was_long_quiet = quiet >= (LONG_QUIET_MS if stamp[1] else EMPTY_QUIET_MS)
            if each.was_long_quiet or (each.ends_whole and quiet >= QUIET_MS) or each.name in self._whole:
                self._whole.discard(each.name)
                each.is_settled = True
                heapq.heappush(self._ready, (each.order(), each.name))

    def _drop(self, name: str) -> None:
        if self._waiting.pop(name).is_settled:
            self._ready = [item for item in self._ready if item[1] != name]
            heapq.heapify(self._ready)

    def _lose(self) -> None:
        if not self.is_missing:
            self._say(f"{self.folder} is gone: no files can come in, and no tick is written, until it is there again")
        self.is_missing = True
        self._waiting.clear()
        self._ready.clear()

    def _move(self, name: str, where: str, now: int, stamp: Stamp) -> Path | None:
        source, folder = self.folder / name, self.folder / where
        try:
            self._files.make_folder(folder)
            target = free_name(folder, name, now)
            self._files.rename(source, target)
        except FileNotFoundError:
            self._say(f"{source} was taken away while it was read")
            return None
        except OSError as error:
            self._stuck[name] = stamp
            self._say(f"{source} stays where it is: it cannot be moved to {folder}: {error.strerror}")
            return None
        return target

    def _return(self, target: Path, name: str) -> None:
        try:
            back = self.folder / name
            self._files.rename(target, back if not back.exists() else free_name(self.folder, name, self.scanned_at))
        except OSError as error:
            self._say(f"{target} was written to after it was read, and cannot be put back: {error.strerror}")
            return
        self._say(
            f"{name} was written to after it was read: it is read again. Write a file under a name that ends in .part, "
            "and rename it when it is whole"
        )

    def _recheck(self, now: int) -> None:
        """Look at moved files once more: a writer that only paused goes on writing to its file wherever that is."""
        while self._moved and not now - RECHECK_MS < self._moved[0][0] <= now:
            _, path, stamp, name = self._moved.popleft()
            found = _stamp(path)
            if found is not None and found[:2] != stamp[:2]:
                self._return(path, name)


def free_name(folder: Path, name: str, now: int) -> Path:
    """Find a free path in `folder` for this name; where it is taken, with the instant `now` (UTC ms) in it."""
    path = folder / name
    if not path.exists():
        return path
    instant = format_instant(now).replace(":", "").replace("-", "")
    for number in range(MAX_NAMES_TRIED):
        more = f".{number}" if number else ""
        path = folder / f"{Path(name).stem}.{instant}{more}{Path(name).suffix}"
        if not path.exists():
            return path
    raise FileExistsError(17, "there are too many files of this name", str(folder / name))


def _stamp(path: Path) -> Stamp | None:
    """Read what changes when a file is written to or replaced; None where there is no such file."""
    if not path.is_file():
        return None
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _ends_whole(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(-min(_END_BYTES, path.stat().st_size), os.SEEK_END)
            return file.read(_END_BYTES).endswith(_WHOLE_ENDS)
    except OSError:
        return False
