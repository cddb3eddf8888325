"""A follow into books in memory, stepped by a clock that the test sets, over a real folder as its inbox."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from books.files.consumed import NO_CACHE
from books.files.disk import RealFiles
from schemas.bounds import DAY_MS
from schemas.facts import ClockTicked, PublishedFact, members_of
from tallybook.folder.refusals import Refusals
from tallybook.follow.follower import Followed, Follower, received_until
from tallybook.follow.inbox import Inbox
from tests.fakes.books import MemoryBooks
from tests.reference.local_time import HOUR_MS
from tests.support import small_imports as small
from tests.support.small_imports import START, Died, DiesAfter

NOON: Final = START + 10 * DAY_MS + 12 * HOUR_MS
MINUTE_MS: Final = 60_000
STEP_MS: Final = 50
OLD_MS: Final = 3_600_000
MAX_STEPS: Final = 10_000


class DyingFiles(RealFiles):
    """The real disk of a process that dies instead of renaming one file more than `renames`."""

    def __init__(self, renames: int) -> None:
        self._left = renames

    def rename(self, old: Path, new: Path) -> None:
        if self._left == 0:
            raise Died
        self._left -= 1
        super().rename(old, new)


class Stream:
    """An inbox, the books that it goes into, and the process that follows it, which may die and start again."""

    def __init__(self, root: Path, now: int = NOON, *, partitions: int = small.PARTITIONS) -> None:
        self.inbox = root / "inbox"
        self.inbox.mkdir(parents=True)
        self.books: MemoryBooks = small.new_books(partitions=partitions)
        self.now = now
        self.said: list[str] = []
        self.follower = self.start()

    def start(self, *, commits: int | None = None, renames: int | None = None) -> Follower:
        """A new process; the old one is gone. It dies at the commit or rename after so many."""
        self.books.die()
        log = self.books.write() if commits is None else DiesAfter(self.books, commits)
        rounds = small.rounds_of(log)
        files = RealFiles() if renames is None else DyingFiles(renames)
        self.follower = Follower(
            rounds,
            Inbox(self.inbox, files, self.said.append),
            horizon_ms=log.opened().horizon_ms,
            consumed=NO_CACHE.consumed(log),
            received_until=received_until(log),
            say=self.said.append,
            refusals=Refusals(log, NO_CACHE.past(log)),
        )
        return self.follower

    def put(self, name: str, lines: Sequence[bytes | PublishedFact], age_ms: int = OLD_MS) -> Path:
        """A file appears at once, last written to so long ago."""
        file = small.write_lines(self.inbox / f"{name}.part", lines)
        target = file.rename(self.inbox / name)
        self.touch(target, age_ms)
        return target

    def touch(self, file: Path, age_ms: int) -> None:
        """Say that a file was last written to so long ago."""
        at = (self.now - age_ms) * 1_000_000
        os.utime(file, ns=(at, at))

    def step(self, ms: int = STEP_MS) -> bool:
        """One step, after so much time."""
        self.now += ms
        return self.follower.step(self.now)

    def go(self, ms: int = 1_000, step_ms: int = STEP_MS) -> Followed:
        """Steps for so long."""
        for _ in range(ms // step_ms):
            self.step(step_ms)
        return self.follower.done

    def drain(self, step_ms: int = STEP_MS) -> None:
        """Steps until nothing is left to do."""
        for _ in range(MAX_STEPS):
            if not self.step(step_ms) and self.follower.is_idle:
                return
        raise AssertionError("the stream does not come to its end")

    def commits(self) -> int:
        """How many commits the books have beyond those that opened them."""
        committed = self.books.read().committed()
        return committed.number - 1

    def ticks(self) -> list[int]:
        """The ticks of the first partition."""
        return [line.fact.at for line in small.journal(self.books, 0) if isinstance(line.fact, ClockTicked)]

    def names(self, folder: str = ".") -> list[str]:
        """The files in the inbox or a folder of it."""
        where = self.inbox / folder
        return sorted(path.name for path in where.iterdir() if path.is_file()) if where.is_dir() else []


def journalled(books: MemoryBooks) -> Counter[tuple[str, str | None]]:
    """How often each published fact stands in the journal, by event id and member."""
    return Counter(
        (line.fact.event_id, line.member_id) for line in small.lines_in(books) if isinstance(line.fact, PublishedFact)
    )


def once_each(facts: Sequence[PublishedFact]) -> Counter[tuple[str, str | None]]:
    """What `journalled` must be if each of these facts was taken in once."""
    return Counter((fact.event_id, member) for fact in facts for member in members_of(fact))
