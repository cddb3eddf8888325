"""Knows what was refused before: it is judged again when it comes again, and kept as one reject only."""

import sys
from collections.abc import Collection, Mapping
from typing import Final

from books.files.consumed import Past
from books.log import CommittedRounds
from processors.intake.refusal import event_of, same_refusal
from schemas.pages import RefusedAgain, Reject
from tallybook.screen import note

# An older refusal that comes again is kept as one reject more, which does no harm.
MAX_REFUSALS_KNOWN: Final = 200_000
# Of one command's inputs; those beyond are judged when the file is imported once more.
MAX_JUDGED_AGAIN: Final = 1_000_000


class Refusals:
    """What the books hold of refused records, and what this process adds to it.

    `past` is what the commits say of inputs. The rejects are read only when something was refused.
    """

    def __init__(self, log: CommittedRounds, past: Past) -> None:
        self._log = log
        self._mended = past.mended
        self._again: dict[str, dict[int, int]] = {}
        for one in past.refused_again:
            self._again.setdefault(one.sha256, {})[one.record] = one.reject
        self._attempts: dict[int, int] | None = None
        self._known: dict[bytes, tuple[int, str]] | None = None
        self._last = log.committed().rejects

    def of_inputs(self, inputs: Collection[str]) -> dict[str, Mapping[int, int]]:
        """Of inputs read before, by SHA-256: the records refused and not taken in since, each with its reject."""
        found: dict[str, dict[int, int]] = {name: {} for name in inputs}
        left = MAX_JUDGED_AGAIN
        for _, batch in self._log.read_rejects() if found else ():
            for reject in batch:
                if reject.input in found and reject.number not in self._mended and left:
                    found[reject.input][reject.record] = reject.number
                    left -= 1
        for name, records in found.items():
            for record, number in self._again.get(name, {}).items():
                if number not in self._mended and record not in records and left:
                    records[record] = number
                    left -= 1
        if not left:
            note(
                f"only {MAX_JUDGED_AGAIN:,} of the refused records are judged again: mend these, then send it once more"
            )
        return {name: records for name, records in found.items() if records}

    def standing(self, reject: Reject, *, is_attempt: bool) -> int:
        """The number of the reject that was kept for the same refusal before; 0 if there is none.

        Two records of one input that say the same are two, and each has its own reject; but not where the record
        `is_attempt` of sending again what was refused.
        """
        number, given = self._kept().get(same_refusal(reject, event_of(reject)), (0, ""))
        return number if is_attempt or given != reject.input else 0

    def keep(self, reject: Reject) -> None:
        """Note a reject that is about to be kept, which gets the next number."""
        self._last += 1
        self._remember(self._kept(), reject, self._last)
        if reject.resubmit_of and self._attempts is not None:
            self._attempts[self._last] = reject.resubmit_of

    def note_again(self, one: RefusedAgain) -> None:
        """Note that a record has no reject of its own, because an earlier one stands for it."""
        self._again.setdefault(one.sha256, {})[one.record] = one.reject

    def mend(self, number: int) -> list[int]:
        """Note that the event of a reject is taken in: it is settled, and so are those that it was an attempt of."""
        if not number:
            return []
        if self._attempts is None:
            rejects = (reject for _, batch in self._log.read_rejects() for reject in batch)
            self._attempts = {one.number: one.resubmit_of for one in rejects if one.resubmit_of}
        settled = []
        while number and number not in self._mended:
            settled.append(number)
            self._mended.add(number)
            number = self._attempts.get(number, 0)
        return settled

    def _kept(self) -> dict[bytes, tuple[int, str]]:
        """The newest refusals that are kept, each with the number of its reject and its input."""
        if self._known is None:
            known: dict[bytes, tuple[int, str]] = {}
            self._known = known
            for _, batch in self._log.read_rejects() if self._last else ():
                for reject in batch:
                    self._remember(known, reject, reject.number)
        return self._known

    def _remember(self, known: dict[bytes, tuple[int, str]], reject: Reject, number: int) -> None:
        name = same_refusal(reject, event_of(reject))
        known.pop(name, None)
        known[name] = (number, sys.intern(reject.input))
        if len(known) > MAX_REFUSALS_KNOWN:
            del known[next(iter(known))]
