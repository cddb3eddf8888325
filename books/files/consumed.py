"""Keeps how far every input was consumed, as of one commit: a cache that saves reading all commits.

A file is JSON and the SHA-256 of it. One that is damaged, or of other books, is ignored.
"""

from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from books.errors import BooksDamaged, NoSuchPosition
from books.files.disk import REAL_FILES, FilePort, read_file, replace_file
from books.log import CommittedRounds
from schemas.facts import JournalOpened
from schemas.pages import InputConsumed, RoundCommitted

LAYOUT: Final = 1
FILE: Final = "consumed.inputs"
_SUM_BYTES: Final = 32


class _Summary(msgspec.Struct, frozen=True):
    layout: int
    opened: JournalOpened
    position: int
    committed: RoundCommitted
    inputs: list[InputConsumed]


class ConsumedCache:
    """The summary of all commits up to one of them, in one file of a folder; without a folder there is never one."""

    def __init__(self, folder: Path | None, *, files: FilePort = REAL_FILES) -> None:
        self._folder = folder
        self._files = files

    def consumed(self, log: CommittedRounds) -> list[InputConsumed]:
        """How far each input was taken in: the last record of each (input, as_is), in the order of the first ones.

        The commits after the summary are read, all of them where there is no summary that these books made.
        """
        inputs, start = self._begin(log)
        for commit in log.commits(start):
            for consumed in commit.inputs:
                inputs[consumed.sha256, consumed.as_is] = consumed
        return list(inputs.values())

    def save(self, log: CommittedRounds) -> None:
        """Keep the summary as of the last commit. Raises OSError where the cache cannot be written."""
        if self._folder is None:
            return
        summary = _Summary(LAYOUT, log.opened(), log.last_commit_at(), log.committed(), self.consumed(log))
        content = msgspec.json.encode(summary)
        replace_file(self._files, self._folder / FILE, (content, sha256(content).digest()))

    def _begin(self, log: CommittedRounds) -> tuple[dict[tuple[str, bool], InputConsumed], int]:
        """What the summary says, and the position from which commits are still to be read."""
        summary = self._load()
        if summary is None or summary.layout != LAYOUT or summary.opened != log.opened():
            return {}, 0
        try:
            there = next(log.commits(summary.position), None)
        except (NoSuchPosition, BooksDamaged):
            return {}, 0  # of other books, or damage, which reading all commits reports better
        if there != summary.committed:
            return {}, 0
        return {(consumed.sha256, consumed.as_is): consumed for consumed in summary.inputs}, summary.position

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
