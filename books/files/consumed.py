"""Keeps how far every input was consumed, and which refusals are settled: a cache that saves reading all commits.

A file is JSON and the SHA-256 of it. One that is damaged, or of other books, is ignored.
"""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from books.errors import BooksDamaged, NoSuchPosition
from books.files.disk import REAL_FILES, FilePort, read_file, replace_file
from books.log import CommittedRounds
from schemas.facts import JournalOpened
from schemas.pages import InputConsumed, RefusedAgain, RoundCommitted

LAYOUT: Final = 2
FILE: Final = "consumed.inputs"
_SUM_BYTES: Final = 32


class _Summary(msgspec.Struct, frozen=True):
    layout: int
    opened: JournalOpened
    position: int
    committed: RoundCommitted
    inputs: list[InputConsumed]
    mended: list[int]
    refused_again: list[RefusedAgain]


class Past(NamedTuple):
    """What all commits say of inputs: how far each was taken in, and of its refused records, what became of them.

    `consumed` has the last record of each (input, as_is), in the order of the first ones; `mended` the numbers of
    rejects that were taken in later; `refused_again` the records for which the reject of another input stands.
    """

    consumed: list[InputConsumed]
    mended: set[int]
    refused_again: list[RefusedAgain]

    def read_among(self, inputs: Iterable[str]) -> set[str]:
        """Those of some inputs, by SHA-256, that were read before."""
        return set(inputs).intersection(one.sha256 for one in self.consumed)


class ConsumedCache:
    """The summary of all commits up to one of them, in one file of a folder; without a folder there is never one."""

    def __init__(self, folder: Path | None, *, files: FilePort = REAL_FILES) -> None:
        self._folder = folder
        self._files = files

    def consumed(self, log: CommittedRounds) -> list[InputConsumed]:
        """How far each input was taken in; see Past."""
        return self.past(log).consumed

    def past(self, log: CommittedRounds) -> Past:
        """What the commits say of inputs.

        Those after the summary are read, all of them where there is no summary that these books made.
        """
        summary = self._usable(log)
        start, inputs, mended, again = 0, [], set[int](), list[RefusedAgain]()
        if summary is not None:
            start, inputs, mended, again = summary.position, summary.inputs, set(summary.mended), summary.refused_again
        consumed = {(one.sha256, one.as_is): one for one in inputs}
        first = summary is not None
        for commit in log.commits(start):
            consumed |= {(one.sha256, one.as_is): one for one in commit.inputs}
            mended.update(commit.mended)
            if first:
                first = False  # the summary's own commit, whose records are in the list
            else:
                again += commit.refused_again
        return Past(list(consumed.values()), mended, [one for one in again if one.reject not in mended])

    def save(self, log: CommittedRounds) -> None:
        """Keep the summary as of the last commit. Raises OSError where the cache cannot be written."""
        if self._folder is None:
            return
        past = self.past(log)
        summary = _Summary(
            LAYOUT, log.opened(), log.last_commit_at(), log.committed(), past.consumed, sorted(past.mended), past[2]
        )
        content = msgspec.json.encode(summary)
        replace_file(self._files, self._folder / FILE, (content, sha256(content).digest()))

    def _usable(self, log: CommittedRounds) -> _Summary | None:
        """The summary, if these books made it."""
        summary = self._load()
        if summary is None or summary.layout != LAYOUT or summary.opened != log.opened():
            return None
        try:
            there = next(log.commits(summary.position), None)
        except (NoSuchPosition, BooksDamaged):
            return None  # of other books, or damage, which reading all commits reports better
        return summary if there == summary.committed else None

    def _load(self) -> _Summary | None:
        if self._folder is None:
            return None
        try:
            data = read_file(self._files, self._folder / FILE)
            if data is None:
                return None
            content, found = data[:-_SUM_BYTES], data[-_SUM_BYTES:]
            return msgspec.json.decode(content, type=_Summary) if sha256(content).digest() == found else None
        except (OSError, msgspec.MsgspecError):
            return None


NO_CACHE: Final = ConsumedCache(None)
