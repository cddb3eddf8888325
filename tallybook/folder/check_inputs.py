"""Foresees what `import` would do with inputs: what it refuses, what comes again unchanged, and what contradicts."""

from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import count
from typing import Any, Final

import msgspec

from books.files.consumed import Past
from books.log import CommittedRounds
from processors.intake.door import judge_time
from processors.intake.external_sort import Arrived
from processors.intake.input_files import Input
from processors.intake.merge import gather
from processors.intake.refusal import Refusal
from processors.ruleset.parse import RulesetRefused
from schemas.bounds import DAY_MS, EARLIEST_AT
from schemas.facts import PublishedFact, RulesetPublished, members_of
from tallybook.folder.defaults import DEFAULT_HORIZON_DAYS
from tallybook.folder.folder import Folder, FolderRefused, read_ruleset
from tallybook.folder.input_totals import Totals
from tallybook.folder.input_warnings import InputWarnings
from tallybook.folder.inputs import chosen_lines, unknown_lines, unmet_lines
from tallybook.folder.journal_keys import JournalKeys, Known
from tallybook.folder.look_alikes import look_alikes
from tallybook.folder.older_records import TAKEN_IN
from tallybook.folder.publish_rules import newest_ruleset, publication_of, publications_in
from tallybook.folder.refusals import Refusals
from tallybook.folder.refused_in_parts import RefusedInParts
from tallybook.folder.same_purchases import SamePurchases, are_tables
from tallybook.screen import progress

BOOKS: Final = "the books"
WORDS: Final = {
    Known.CONFLICT: "conflict: other content",
    Known.CONFLICT_AGAIN: "conflict: other content",
    Known.OTHER_MEMBER: "another member",
    Known.OTHER_GUEST: "a guest's, other content: both are kept, neither is paid",
}


class Checked(msgspec.Struct):
    """Counts the records of inputs, by what an import would do with them.

    `again` came before, unchanged; `conflicts` have other content than a fact of the same key that came before them,
    and `other_members` another member; so have `other_guests`, purchases of guests, which are all kept. `refusals` and
    `contradictions` are rows for people; of the latter at most MAX_AGAINST are given. `totals` adds up what would be
    taken in and count; `warnings` say what of it the rules cannot pay for. Times are shown local to `timezone`.
    `under_other_keys` counts the purchases that the books hold under other keys; where they are so many that an import
    would refuse the inputs, `refused_whole` says so.
    """

    records: int = 0
    again: int = 0
    conflicts: int = 0
    other_members: int = 0
    under_other_keys: int = 0
    refused_whole: str = ""
    other_guests: int = 0
    refusals: list[dict[str, Any]] = []
    contradictions: list[dict[str, Any]] = []
    unknown_fields: list[str] = []
    notes: list[str] = []
    warnings: list[str] = []
    totals: Totals = msgspec.field(default_factory=Totals)
    timezone: str = "UTC"

    @property
    def taken(self) -> int:
        """How many records would be taken in, and would count."""
        return self.records - self.again - self.conflicts - self.other_guests - len(self.refusals)


def checked(folder: Folder, inputs: Sequence[Input], now: int) -> Checked:
    """Foresee what an import into this folder at `now` (UTC ms) would do; where there are no books, into new ones.

    The inputs are read once, and a second time if there is something to say of single records.

    Raises:
        InputRefused: an input is refused as a whole.
        BooksError: there are books, and they are damaged.
    """
    with ExitStack() as opened:
        log = opened.enter_context(folder.reading()) if folder.books.is_dir() else None
        past = Past([], set(), []) if log is None else folder.consumed_cache().past(log)
        return _Check(log, past, inputs, now, _published(folder, log)).done()


def _published(folder: Folder, log: CommittedRounds | None) -> list[RulesetPublished]:
    """The publications of some books; where there are none, the one that an import would make, if it can."""
    published = [] if log is None else [fact for fact, _ in publications_in(log)]
    if published or not folder.ruleset_files():
        return published
    try:
        return [publication_of(*read_ruleset(newest_ruleset(folder)))]
    except (FolderRefused, RulesetRefused):
        return []  # an import refuses the rules by name; what is checked here are the files


class _Check:
    """Checks inputs once."""

    def __init__(
        self,
        log: CommittedRounds | None,
        past: Past,
        inputs: Sequence[Input],
        now: int,
        published: Sequence[RulesetPublished],
    ) -> None:
        self._log = log
        self._inputs = inputs
        horizon_ms = DEFAULT_HORIZON_DAYS * DAY_MS if log is None else log.opened().horizon_ms
        last_tick = 0 if log is None else log.committed().last_tick
        self._judge = partial(judge_time, received_at=now, last_tick=last_tick, horizon_ms=horizon_ms, now=now)
        read = past.read_among(one.sha256 for one in inputs)
        refused = {} if log is None else Refusals(log, past).of_inputs(read)
        self._in_parts = None if log is None else RefusedInParts(log, past)
        self._gather = partial(gather, inputs, consumed=past.consumed, refused=refused)
        if self._in_parts is not None:
            self._gather = partial(self._gather, is_awaited=self._in_parts.is_awaited)
        self._keys = JournalKeys(last_tick - horizon_ms if last_tick else 0, horizon_ms)
        self._purchases = SamePurchases(last_tick)
        self._warnings = InputWarnings(inputs, published)
        self._checked = Checked(timezone=published[-1].timezone if published else "UTC")

    def done(self) -> Checked:
        """Check everything."""
        checked, facts, older = self._checked, array("Q"), array("Q")
        keys, read = self._keys, array("Q")
        note_order = partial(keys.add, in_any_order=True)
        judge = self._purchases.noting(partial(self._judged, keys.add))
        with self._gather(judge=judge, note_order=lambda fact: note_order(fact) + 1) as gathered:
            for item in self._warnings.watched(gathered.arrivals):
                in_part = self._refusal_in_part(item)
                if in_part is not None:
                    checked.refusals.append(self._refused(item, in_part))
                elif item.fact is not None:
                    place = item.again - 1 if item.again else keys.add(item.fact)
                    (read if item.was_read else facts).append(place)
                    checked.totals.add(item.fact)
                elif item.refusal is not None and item.refusal.looked_up:
                    older.append(item.refusal.looked_up - 1)
                elif item.refusal is not None:
                    checked.refusals.append(self._refused(item, item.refusal))
            survey = gathered.survey
            checked.records, checked.again = survey.records + survey.already, survey.already
            unknown = gathered.unknown
            checked.unknown_fields = unknown_lines(unknown) + unmet_lines(unknown) + chosen_lines(unknown)
            repeated = [f"{name} has the same content as another input: left out" for name in survey.repeated]
            checked.notes = repeated + survey.notes
            checked.warnings = self._warnings.told(survey.already)
        with progress("looking keys up in the journal", None) as tick:
            keys.look_up(self._log, tick)
            self._look_purchases_up(tick)
        known = keys.counted(facts)
        # Of an order whose rows were all read before, only that it conflicts is news.
        known += Counter(one if one >= Known.CONFLICT else Known.SAME for one in map(keys.known, read))
        known_older = keys.counted(older)
        checked.again += known[Known.SAME] + known_older[Known.SAME]
        checked.conflicts = known[Known.CONFLICT] + known[Known.CONFLICT_AGAIN] + known_older[Known.CONFLICT]
        checked.other_members = known[Known.OTHER_MEMBER]
        checked.other_guests = known[Known.OTHER_GUEST]
        too_old = len(older) - known_older[Known.SAME] - known_older[Known.CONFLICT]
        if known[Known.SAME] or checked.conflicts or checked.other_members or checked.other_guests or too_old:
            checked.totals = Totals()
            self._read_again()
            names = {one.name: number for number, one in enumerate(self._inputs)}
            checked.refusals.sort(key=lambda row: (names[row["input"]], row["record"]))
        checked.warnings += look_alikes(checked.totals.members)
        return checked

    def _look_purchases_up(self, on_line: Callable[[int], object]) -> None:
        """Find the purchases that came under another key as well."""
        if self._checked.records == self._checked.again:
            return
        if self._log is not None:
            self._purchases.look_up(self._log, on_line)
        found = self._purchases.found()
        self._checked.under_other_keys = found.in_books
        if found.is_mostly_known and are_tables(self._inputs):
            self._checked.refused_whole = found.refusal()
        else:
            self._checked.warnings += found.warnings()

    def _read_again(self) -> None:
        """Read the inputs once more: for the rows of what is too old or contradicts, and to add up what counts."""
        places = count()

        def next_place(fact: PublishedFact) -> int:
            """The place of a fact: each is met as in the first reading, and has one for each of its accounts."""
            first, *_ = [next(places) for _ in members_of(fact)]
            return first

        wanted, said = self._keys.contradicted(), dict[int, str]()
        with self._gather(
            judge=partial(self._judged, next_place), note_order=lambda fact: next_place(fact) + 1
        ) as gathered:
            for item in gathered.arrivals:
                fact, refusal = item.fact, item.refusal
                if self._refusal_in_part(item) is not None:
                    continue
                if fact is not None:
                    place = item.again - 1 if item.again else next_place(fact)
                elif refusal is not None and refusal.looked_up:
                    place = refusal.looked_up - 1
                else:
                    continue
                if place in wanted:
                    said[place] = f"{self._inputs[item.input_index].name}, line {item.at_line:,}"
                known, against = self._keys.known(place), self._keys.against(place)
                if refusal is not None and known not in TAKEN_IN:
                    self._checked.refusals.append(self._refused(item, refusal))
                elif against is not None and known > (Known.OTHER_MEMBER if item.was_read else Known.SAME):
                    self._checked.contradictions.append(self._row(item, known, said.get(against, BOOKS)))
                if fact is not None and known in {Known.NEW, Known.OTHER_MEMBER}:
                    self._checked.totals.add(fact)

    def _refusal_in_part(self, item: Arrived) -> Refusal | None:
        if self._in_parts is None:
            return None
        return self._in_parts.refusal_of(item, (one.name for one in self._inputs))

    def _judged(self, place_of: Callable[[PublishedFact], int], fact: PublishedFact) -> Refusal | None:
        """Judge a fact by its time; one that is too old is compared with the journal."""
        refusal = self._judge(fact)
        if refusal is None or refusal.reason != "too_old" or fact.occurred_at < EARLIEST_AT:
            return refusal
        return msgspec.structs.replace(refusal, looked_up=place_of(fact) + 1)

    def _row(self, item: Arrived, known: Known, before: str) -> dict[str, Any]:
        said = item.refusal if item.fact is None else item.fact
        return {
            "input": self._inputs[item.input_index].name,
            "record": item.record,
            "line": item.at_line,
            "source": "" if said is None else said.source,
            "event_id": "" if said is None else said.event_id,
            "what": WORDS[known],
            "came_before": before,
        }

    def _refused(self, item: Arrived, refusal: Refusal) -> dict[str, Any]:
        return {
            "input": self._inputs[item.input_index].name,
            "record": item.record,
            "line": item.at_line,
            "reason": refusal.reason,
            "field": refusal.field,
            "message": refusal.message,
            "event_id": refusal.event_id,
        }
