"""Collects a round on its way into the books: facts taken, records refused, and how far each input was read."""

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from processors.embedded.partition_group import RunCounts
from processors.embedded.rounds import Rounds, Taken
from processors.intake.external_sort import Arrived
from processors.intake.refusal import Refusal, reject_of
from schemas.canonical import canonical_fact
from schemas.facts import PublishedFact
from schemas.pages import AT_ITS_END, InputConsumed, RefusedAgain, Reject
from tallybook.folder.refusals import Refusals

MAX_REJECT_BYTES: Final = 16 << 20  # of rejects held until their round ends; a file may be nothing but rejects
REJECT_BYTES: Final = 1_000  # what one takes beside the bytes that came, roughly


class NamedInput(Protocol):
    """Names an input as the books do."""

    @property
    def sha256(self) -> str:
        """The SHA-256 of its content as hex."""

    @property
    def name(self) -> str:
        """The name by which people know it."""


class OpenRound:
    """Holds a round that is being filled; after it is written and committed it is empty again.

    `resubmit_of` is the number of the reject that all records mend. Without `refusals` every refused record is kept.
    """

    def __init__(self, rounds: Rounds, *, as_is: bool, resubmit_of: int = 0, refusals: Refusals | None = None) -> None:
        self.facts: list[Taken] = []
        self.rejects: list[Reject] = []
        self.read: dict[str, InputConsumed] = {}
        self._rounds = rounds
        self._as_is = as_is
        self._resubmit_of = resubmit_of
        self._refusals = refusals
        self._mended: list[int] = []
        self._refused_again: list[RefusedAgain] = []
        self._reject_bytes = 0

    @property
    def has_many_rejects(self) -> bool:
        """Whether the rejects take so much memory that they have to be written before the round ends."""
        return self._reject_bytes >= MAX_REJECT_BYTES

    def take(
        self, item: Arrived, fact: PublishedFact, source: NamedInput, before: int = 0, others: Sequence[int] = ()
    ) -> None:
        """Take a fact; `before` is the reject that its record had before (0: none), `others` are more of them."""
        self.facts.append(Taken(fact, source.sha256, item.record))
        if self._refusals is not None and (before or others or self._resubmit_of):
            for number in (before, *others, self._resubmit_of):
                self._mended += self._refusals.mend(number)

    def refuse(self, item: Arrived, refusal: Refusal, source: NamedInput, received_at: int = 0, before: int = 0) -> int:
        """Keep a refused record, received at an instant (UTC ms; 0: at the one at which the rejects are written).

        `before` is the number of the reject that the record had before (0: none).

        Returns:
            The number of an earlier reject that says the same, so that none is kept; else 0.
        """
        # A record that has become too old since it was read is a fact already, of which no bytes were kept.
        raw = item.raw if item.fact is None else canonical_fact(item.fact)
        reject = reject_of(
            refusal,
            raw,
            source_input=(source.sha256, source.name),
            record=item.record,
            at_line=item.at_line,
            received_at=received_at,
            headers=item.headers,
            resubmit_of=self._resubmit_of or before,
        )
        if self._refusals is not None:
            is_attempt = bool(reject.resubmit_of)
            standing = self._refusals.standing(reject, is_attempt=is_attempt)
            if standing:
                if not is_attempt:
                    self._refused_again.append(RefusedAgain(source.sha256, item.record, standing))
                    self._refusals.note_again(self._refused_again[-1])
                return standing
            self._refusals.keep(reject)
        self.rejects.append(reject)
        self._reject_bytes += len(raw) + REJECT_BYTES
        return 0

    def note_read(self, source: NamedInput, occurred_at: int, record: int) -> None:
        """Note that an input was read up to a record, unless it was read further already."""
        # A record may give the very instant that stands for an input's end.
        occurred_at = min(occurred_at, AT_ITS_END - 1)
        known = self.read.get(source.sha256)
        if known is not None and known.covers(occurred_at, record):
            return
        self.read[source.sha256] = InputConsumed(
            source.sha256, occurred_at, record, as_is=self._as_is, name=source.name
        )

    def write_facts(self, tick_at: int, received_at: int) -> None:
        """Have the facts journalled and decided, with a tick after them (0: none)."""
        if self.facts or tick_at:
            self._rounds.take(self.facts, tick_at, received_at)
        self.facts = []

    def write_rejects(self, received_at: int) -> int:
        """Write the rejects; the number of the first one, 0 if there are none."""
        rejects, self.rejects, self._reject_bytes = self.rejects, [], 0
        if not rejects:
            return 0
        dated = [
            each if each.received_at else msgspec.structs.replace(each, received_at=received_at) for each in rejects
        ]
        return self._rounds.reject(dated)[0].number

    def commit(self) -> RunCounts:
        """Commit what was written, and how far the inputs were read; what that covered."""
        counts = self._rounds.commit(list(self.read.values()), mended=self._mended, refused_again=self._refused_again)
        self.read, self._mended, self._refused_again = {}, [], []
        return counts
