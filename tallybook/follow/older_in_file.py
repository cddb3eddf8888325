"""Judges the records of one file as they come: those before the horizon are compared with the journal first."""

from collections.abc import Callable

import msgspec

from books.log import LogReader
from processors.intake.door import Judge
from processors.intake.input_files import Input
from processors.intake.refusal import Refusal
from schemas.bounds import EARLIEST_AT
from schemas.facts import PublishedFact, members_of
from tallybook.folder.journal_keys import JournalKeys
from tallybook.folder.older_records import after_look_up


class OlderInFile:
    """Judges by `judge`. At the first record that is too old, the file is read ahead and all such are looked up.

    `horizon_at` gives the instant (UTC ms) before which a fact is too old; it may move on while the file is read.
    """

    def __init__(
        self, one: Input, log: LogReader, judge: Judge, horizon_at: Callable[[], int], say: Callable[[str], None]
    ) -> None:
        self._input = one
        self._log = log
        self._judge = judge
        self._horizon_at = horizon_at
        self._say = say
        self._bound = 0
        self._keys: JournalKeys | None = None
        self._next_place = 0

    def judge(self, fact: PublishedFact) -> Refusal | None:
        """Judge a fact; what is too old is given its place among the records that were looked up."""
        refusal = self._judge(fact)
        if refusal is None or refusal.reason != "too_old" or fact.occurred_at < EARLIEST_AT:
            return refusal
        if self._keys is None:
            self._read_ahead()
        if fact.occurred_at >= self._bound:
            return refusal  # the horizon has moved on since the file was read ahead
        place, self._next_place = self._next_place, self._next_place + len(members_of(fact))
        return msgspec.structs.replace(refusal, looked_up=place + 1)

    def judged_again(self, refusal: Refusal) -> Refusal | None:
        """The refusal of a record, now that the journal was asked; None for one that it holds unchanged."""
        return refusal if self._keys is None else after_look_up(self._keys, refusal)

    def _read_ahead(self) -> None:
        self._say(f"{self._input.name} has records before the horizon: they are looked up in the journal")
        self._bound = bound = self._horizon_at()
        self._keys = keys = JournalKeys(bound)

        def collect(fact: PublishedFact) -> None:
            if EARLIEST_AT <= fact.occurred_at < bound:
                keys.add(fact)

        for _ in self._input.records(judge=collect):
            pass
        keys.look_up(self._log)
