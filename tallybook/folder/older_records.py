"""Asks the journal for records that it may hold: those before the horizon, and orders whose rows were read before."""

from functools import partial
from typing import Final

import msgspec

from books.log import LogReader
from processors.intake.door import judge_time
from processors.intake.merge import Survey
from processors.intake.refusal import MAX_MESSAGE, Refusal, quoted
from schemas.bounds import EARLIEST_AT
from schemas.facts import PublishedFact
from tallybook.folder.journal_keys import JournalKeys, Known
from tallybook.screen import progress

TAKEN_IN: Final = (Known.SAME, Known.CONFLICT)


class OlderRecords:
    """Judges by time at `now` (UTC ms), and collects what is too old; `look_up` then asks the journal for all of it."""

    def __init__(self, last_tick: int, horizon_ms: int, now: int) -> None:
        self._judge = partial(judge_time, received_at=now, last_tick=last_tick, horizon_ms=horizon_ms, now=now)
        self._keys = JournalKeys(last_tick - horizon_ms if last_tick else 0, horizon_ms)
        self._has_orders = False

    def judge(self, fact: PublishedFact) -> Refusal | None:
        """Judge a fact; what is too old is noted. However often a fact is judged, the journal says the same of it."""
        refusal = self._judge(fact)
        if refusal is None or refusal.reason != "too_old" or fact.occurred_at < EARLIEST_AT:
            return refusal
        return msgspec.structs.replace(refusal, looked_up=self._keys.add(fact) + 1)

    def note_order(self, fact: PublishedFact) -> int:
        """Note an order some rows of which were read before; its place, from 1, by which `known` is asked."""
        self._has_orders = True
        return self._keys.add(fact, in_any_order=True) + 1

    def known(self, place: int) -> Known:
        """What is known of a noted order, in whichever order its files were given."""
        return self._keys.known(place - 1)

    def look_up(self, log: LogReader, survey: Survey) -> int:
        """Look all of them up in the journal, if there are any; how many records are too old and not there."""
        if not survey.looked_up and not self._has_orders:
            return survey.older
        with progress("looking records up in the journal", None) as tick:
            self._keys.look_up(log, tick)
        return survey.older - sum(1 for place in survey.looked_up if self._keys.known(place - 1) in TAKEN_IN)

    def judged_again(self, refusal: Refusal) -> Refusal | None:
        """The refusal of a record, now that the journal was asked; None for one that it holds unchanged."""
        return after_look_up(self._keys, refusal)


def after_look_up(keys: JournalKeys, refusal: Refusal) -> Refusal | None:
    """What a refusal becomes after its record was looked up: nothing for one that the journal holds, or a conflict."""
    known = keys.known(refusal.looked_up - 1) if refusal.looked_up else Known.NEW
    if known not in TAKEN_IN:
        return refusal
    return None if known == Known.SAME else _conflict(refusal)


def _conflict(refusal: Refusal) -> Refusal:
    """The refusal of a record before the horizon whose key the journal holds with other content."""
    message = (
        f"another event of source {quoted(refusal.source)} and event_id {quoted(refusal.event_id)} was taken in before "
        "with other content. The first one counts, and this one lies behind the horizon: give a correction an id of "
        "its own"
    )
    return msgspec.structs.replace(refusal, reason="conflict", message=message[:MAX_MESSAGE], field="event_id")
