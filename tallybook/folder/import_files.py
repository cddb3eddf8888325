"""Imports files: survey, horizon check, rules, rounds of a day each, commits, and a report for people."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

from books.log import LogReader
from processors.embedded.partition_group import RunCounts
from processors.embedded.rounds import Rounds
from processors.intake.door import Judge, judge_time
from processors.intake.external_sort import Arrived
from processors.intake.formats import Format
from processors.intake.input_files import Input
from processors.intake.merge import RECORDS_PER_REPORT, Gathered, Survey, gather
from processors.intake.refusal import Refusal
from schemas.bounds import DAY_MS, MAX_FUTURE_MS
from schemas.facts import PublishedFact, RulesetPublished
from schemas.instants import format_instant
from schemas.pages import AT_ITS_END, InputConsumed
from tallybook.folder.came_in import MAX_LOOKED_UP, Key, Place, Standing, came_in_since
from tallybook.folder.folder import Folder, FolderRefused
from tallybook.folder.input_warnings import InputWarnings
from tallybook.folder.inputs import opened_inputs, unknown_lines, unmet_lines
from tallybook.folder.journal_keys import Known
from tallybook.folder.older_records import OlderRecords
from tallybook.folder.open_round import NamedInput, OpenRound
from tallybook.folder.publish_rules import ensure_published
from tallybook.folder.refusals import Refusals
from tallybook.folder.refused_in_parts import RefusedInParts, read_with_another
from tallybook.folder.rounded_ids import RoundedIds
from tallybook.folder.same_purchases import Found, SamePurchases, are_tables
from tallybook.folder.session import processes_for, writing_session
from tallybook.screen import counted, progress

# Facts between two commits: few enough that a crash loses little, many enough that fsync is cheap.
COMMIT_FACTS: Final = 10_000


class Imported(RunCounts):
    """Counts what an import brought in; `seconds` is the time spent reading and deciding.

    `already` counts records that were taken in before, `refused_again` those that were refused for the reason for which
    an earlier reject is kept, the first of which is `standing_reject`; but those whose event has come in since, mended,
    are counted in `mended_since`. `notes` has lines about the inputs, `warnings` what the rules cannot pay for in them.
    """

    records: int = 0
    already: int = 0
    refused_again: int = 0
    standing_reject: int = 0
    mended_since: int = 0
    rejects_by_reason: dict[str, int] = msgspec.field(default_factory=dict)
    first_reject: int = 0
    seconds: float = 0.0
    notes: list[str] = msgspec.field(default_factory=list)
    warnings: list[str] = msgspec.field(default_factory=list)

    @property
    def has_alarm(self) -> bool:
        """Whether somebody has to look after something: records were refused, or contradict what was there before."""
        return bool(self.rejects or self.refused_again or self.conflicts)

    def report(self) -> list[str]:
        """Say in lines what it did."""
        rate = f" ({self.facts / self.seconds:,.0f} facts/s)" if self.seconds and self.facts else ""
        lines = list(self.notes)
        if self.already:
            lines.append(f"{counted(self.already, 'record')} taken in before, unchanged: left out")
        if self.mended_since:
            lines.append(
                f"{counted(self.mended_since, 'record')} refused again, but mended since: the event came in with "
                "another file (see `tallybook rejects list`)"
            )
        # A guest's fact has no posting that could tell, and a referral has two: how many are new is not known here.
        known = ", not all of them new" if self.duplicates or self.conflicts else ""
        made = f"{counted(self.postings, 'posting')}, {counted(self.entries, 'entry', 'entries')}"
        lines.append(f"{counted(self.facts, 'fact')} taken in{known}{rate}: {made}")
        lines += _repeats(self)
        if self.rejects:
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(self.rejects_by_reason.items()))
            lines.append(
                f"{counted(self.rejects, 'record')} refused ({reasons}) and kept, from reject {self.first_reject} on: "
                "see `tallybook rejects list`"
            )
        if self.refused_again:
            lines.append(
                f"{counted(self.refused_again, 'record')} refused again, for the same reason as before: no second "
                f"reject is kept (see `tallybook rejects show {self.standing_reject}`)"
            )
        return lines + [f"warning: {warning}" for warning in self.warnings]


def _repeats(done: Imported) -> list[str]:
    """Say what came again, in postings: a referral has one in each of its two accounts."""
    said = []
    if done.duplicates:
        said.append(f"{counted(done.duplicates, 'posting')} had no effect: the same fact was there before (duplicate)")
    if done.conflicts:
        said.append(
            f"{counted(done.conflicts, 'conflict')}: another fact of the same source and event id, with other content, "
            "was there before. The first one counts, the later one had no effect: see `tallybook status`, and "
            "`tallybook explain EVENT_ID`, which shows both"
        )
    return said


def import_files(
    folder: Folder,
    files: Sequence[str],
    mapping: Path | None,
    *,
    now: int,
    as_is: bool = False,
    accept_too_old: bool = False,
    accept_rounded_ids: bool = False,
    accept_other_keys: bool = False,
    form: Format | None = None,
    processes: int | None = None,
    are_of_inbox: bool = False,
) -> Imported:
    """Import files by name (`-` is standard input); `now` is the door's clock in UTC ms.

    `are_of_inbox` is explained by `opened_inputs`.

    `processes` decide side by side (None: one per core, where there is enough to do); the books are the same.

    Raises:
        InputRefused, MappingRefused: an input is refused as a whole; nothing was changed.
        FolderRefused: some facts would be too old for the folder's horizon and `accept_too_old` was not given; or a
            spreadsheet has cut ids, and `accept_rounded_ids` was not given; or most purchases are in the books under
            other keys and `accept_other_keys` was not given; or the door's clock is
            behind the books.
        FolderHeld, BooksError: the books cannot be written.
        RulesetRefused: the folder's ruleset cannot be published.
    """
    with opened_inputs(files, mapping, form, are_of_inbox=are_of_inbox) as inputs:
        return import_inputs(
            folder,
            inputs,
            now=now,
            as_is=as_is,
            accept_too_old=accept_too_old,
            accept_rounded_ids=accept_rounded_ids,
            accept_other_keys=accept_other_keys,
            processes=processes,
        )


def import_inputs(
    folder: Folder,
    inputs: Sequence[Input],
    *,
    now: int,
    as_is: bool = False,
    accept_too_old: bool = False,
    accept_rounded_ids: bool = False,
    accept_other_keys: bool = False,
    resubmit_of: int = 0,
    processes: int | None = None,
) -> Imported:
    """Import opened inputs; see import_files. `resubmit_of` is the number of the reject that they mend."""
    with writing_session(folder, now, processes_for(processes, folder, sum(one.size for one in inputs))) as session:
        horizon_ms, last_tick = session.log.opened().horizon_ms, session.rounds.last_tick
        _require_clock(now, last_tick, session.log.opened().opened_at)
        past = folder.consumed_cache().past(session.log)
        refusals = Refusals(session.log, past)
        older_than = last_tick - horizon_ms if last_tick else None
        older = OlderRecords(last_tick, horizon_ms, now)
        purchases = SamePurchases(last_tick, only_late=not are_tables(inputs))
        judge = purchases.noting(_looking_at(rounded := RoundedIds(), older.judge))
        importer = Importer(
            session.rounds,
            inputs,
            now=now,
            horizon_ms=horizon_ms,
            as_is=as_is,
            resubmit_of=resubmit_of,
            refusals=refusals,
            refused=refusals.of_inputs(past.read_among(one.sha256 for one in inputs)),
            older=older,
            in_parts=RefusedInParts(session.log, past),
        )
        with (
            progress("reading", None) as tick,
            importer.gather(past.consumed, older_than, tick, judge) as gathered,
        ):
            too_old = older.look_up(session.log, gathered.survey)
            if too_old and not accept_too_old:
                raise FolderRefused(_too_old(too_old, gathered.survey, last_tick, horizon_ms))
            _require_whole_ids(rounded, accepted=accept_rounded_ids)
            found = _found(purchases, session.log, gathered.survey, accepted=accept_other_keys or resubmit_of > 0)
            published = ensure_published(session.rounds, folder, now)
            done = _take(importer, gathered, published, InputWarnings(inputs, session.rounds.publications))
        done.mended_since = came_in_since(session.log, importer.standing)
        done.refused_again -= done.mended_since
        done.warnings += found.warnings()
        return done


def _looking_at(rounded: RoundedIds, judge: Judge) -> Judge:
    def look_and_judge(fact: PublishedFact) -> Refusal | None:
        rounded.look_at(fact)
        return judge(fact)

    return look_and_judge


def _require_whole_ids(rounded: RoundedIds, *, accepted: bool) -> None:
    """Refuse ids that a spreadsheet has cut, before anything is written."""
    told = next(rounded.told(), None)
    if told is not None and not accepted:
        raise FolderRefused(f"{told}. Nothing was changed. If the ids are whole: --accept-rounded-ids")


def _found(purchases: SamePurchases, log: LogReader, survey: Survey, *, accepted: bool) -> Found:
    """Which purchases came under another key as well; the journal is read for them only where many may be there.

    Raises:
        FolderRefused: a table has mostly such, and they are not `accepted`.
    """
    if not survey.records:
        return Found()  # nothing is new
    if purchases.is_worth_reading(survey.already):
        with progress("looking purchases up in the journal", None) as tick:
            purchases.look_up(log, tick)
    found = purchases.found()
    if found.is_mostly_known and not (purchases.only_late or accepted):
        raise FolderRefused(found.refusal())
    return found


def _take(
    importer: Importer, gathered: Gathered, published: RulesetPublished | None, warnings: InputWarnings
) -> Imported:
    survey = gathered.survey
    notes = [f"{name} has the same content as another input: left out" for name in survey.repeated] + survey.notes
    if published is not None:
        since = format_instant(published.effective_from)
        notes.append(f"ruleset {published.version} published, in force from {since}")
    with progress("journalling and scoring", survey.records) as tick:
        done = importer.take_all(warnings.watched(gathered.arrivals), tick)
    done.already += survey.already
    done.notes = notes + unknown_lines(gathered.unknown) + unmet_lines(gathered.unknown)
    done.warnings = warnings.told(survey.already)
    return done


def _require_clock(now: int, last_tick: int, opened_at: int) -> None:
    """Refuse a clock that is behind the books: by such a clock all facts of today would lie in the future."""
    if now + MAX_FUTURE_MS >= max(last_tick, opened_at):
        return
    what = f"scored up to {format_instant(last_tick)}" if last_tick else f"opened at {format_instant(opened_at)}"
    raise FolderRefused(
        f"the clock of this machine says {format_instant(now)}, and these books are {what}: it has gone back. Set it "
        "right (NTP does so by itself), then run the same command again. Nothing was changed."
    )


def _too_old(count: int, survey: Survey, last_tick: int, horizon_ms: int) -> str:
    known = survey.older - count
    there = f" ({known:,} more happened before it, and their keys are in the journal already)" if known else ""
    return (
        f"{count:,} of {counted(survey.records, 'record')} happened before {format_instant(last_tick - horizon_ms)}, "
        f"{counted(horizon_ms // DAY_MS, 'day')} (the horizon) before this folder's last tick, "
        f"{format_instant(last_tick)}: they would be refused as too_old{there}. Nothing was changed.\n"
        "Either make a fresh folder with a longer horizon (`tallybook init NEW --horizon DAYS`) or import all files "
        "together into a fresh folder, in one command; or go on without them: --accept-too-old"
    )


class Importer:
    """Takes inputs into books that are open for writing: rounds of a day each, judged at the door and committed.

    `now` (UTC ms) is the door's clock: nothing that happened after it is taken. `resubmit_of` is the number of the
    reject that the inputs mend. `refused` has the records that were read before and are judged again, with the reject
    of each; `older` says which of those before the horizon, and of the orders that come again, are in the journal.
    """

    def __init__(
        self,
        rounds: Rounds,
        inputs: Sequence[Input],
        *,
        now: int,
        horizon_ms: int,
        as_is: bool = False,
        resubmit_of: int = 0,
        refusals: Refusals | None = None,
        refused: Mapping[str, Mapping[int, int]] = MappingProxyType({}),
        older: OlderRecords | None = None,
        in_parts: RefusedInParts | None = None,
        commit_facts: int = COMMIT_FACTS,
    ) -> None:
        self._rounds = rounds
        self._inputs = inputs
        self._now = now
        self._commit_facts = commit_facts
        # It counts as received at the tick that ends its round, so only our own clock can call a fact too early.
        self._judge = partial(judge_time, received_at=now, horizon_ms=horizon_ms, now=now)
        self._round = OpenRound(rounds, as_is=as_is, resubmit_of=resubmit_of, refusals=refusals)
        self._resubmit_of = resubmit_of
        self._refused = refused
        self._older = older
        self._in_parts = in_parts
        self._names = {one.name for one in inputs}
        self._round_ends_at = 0
        self._latest_at = 0
        self._uncommitted = 0
        self._as_is = as_is
        self._parts: dict[int, int] = {}  # by input, the furthest row of an order that begins in another one
        self._marks: dict[str, InputConsumed] = {}  # how far each of the inputs was read, by SHA-256
        self.done = Imported()
        self.standing: dict[Key, Standing] = {}  # see came_in_since

    def gather(
        self,
        consumed: Sequence[InputConsumed],
        older_than: int | None = None,
        on_read: Callable[[int], object] = lambda _: None,
        judge: Judge | None = None,
    ) -> AbstractContextManager[Gathered]:
        """Read the inputs without what was `consumed` before; see the function of this name."""
        ours = {one.sha256 for one in self._inputs}
        self._marks = {past.sha256: past for past in consumed if past.sha256 in ours and past.as_is == self._as_is}
        return gather(
            self._inputs,
            as_is=self._as_is,
            consumed=consumed,
            refused=self._refused,
            older_than=older_than,
            on_read=on_read,
            judge=judge,
            note_order=None if self._older is None else self._older.note_order,
            is_awaited=(lambda _, __: False) if self._in_parts is None else self._in_parts.is_awaited,
        )

    def take_all(self, arrived: Iterable[Arrived], on_records: Callable[[int], object] = lambda _: None) -> Imported:
        """Take in everything, the last round ended by a tick at the last fact; then it is committed."""
        started = time.perf_counter()
        for item in arrived:
            self._take(item)
            if self.done.records % RECORDS_PER_REPORT == 0:
                on_records(RECORDS_PER_REPORT)
        on_records(self.done.records % RECORDS_PER_REPORT)
        self._end_round(self._latest_at)
        for index, record in self._parts.items():
            self._note_mark(index, self._latest_at, record)
        self._note_ends()
        self._commit()
        self.done.seconds = time.perf_counter() - started
        return self.done

    def _take(self, item: Arrived) -> None:
        self.done.records += 1
        source = self._inputs[item.input_index]
        refusal, before, standing = item.refusal, 0, 0
        if self._refused:
            before = self._refused.get(source.sha256, {}).get(item.record, 0)
        if item.again and not before and self._is_known(item):
            return
        if self._in_parts is not None and refusal is None:
            refusal = self._in_parts.refusal_of(item, self._names) or self._of_another_order(item, self._in_parts)
        if item.fact is not None and refusal is None:
            at = item.fact.occurred_at
            refusal = self._judge(item.fact, last_tick=self._rounds.last_tick)
            if refusal is None and at >= self._round_ends_at:
                if self._round_ends_at:
                    self._end_round(self._round_ends_at)
                self._round_ends_at = (max(at, self._rounds.last_tick) // DAY_MS + 1) * DAY_MS  # the next midnight
                refusal = self._judge(item.fact, last_tick=self._rounds.last_tick)
            if refusal is None:
                others = self._before_of_others(item) if item.is_order else ()
                self._round.take(item, item.fact, source, before, others)
                self._latest_at = max(self._latest_at, at)
        if refusal is not None and self._older is not None:
            refusal = self._older.judged_again(refusal)
            self.done.already += refusal is None
        if refusal is not None:
            standing = self._refuse(item, refusal, source, before)
        # A reject that is refused again may be sent once more.
        if not item.was_read and not (standing and self._resubmit_of):
            self._note_read(item)

    def _of_another_order(self, item: Arrived, in_parts: RefusedInParts) -> Refusal | None:
        """Why an order is not taken of which rows that name no order were read before, with another order."""
        if item.headless < 0 or item.fact is None or self._older is None or in_parts.reject_of(item):
            return None
        is_new = self._older.known(item.again) is Known.NEW
        return read_with_another(item.fact, self._inputs[item.headless].name) if is_new else None

    def _before_of_others(self, item: Arrived) -> list[int]:
        """The rejects that an order had with other files, or where its further files were given alone."""
        found = [self._refused.get(self._inputs[index].sha256, {}).get(record, 0) for index, record in item.parts]
        found.append(0 if self._in_parts is None else self._in_parts.reject_of(item))
        return [number for number in found if number]

    def _is_known(self, item: Arrived) -> bool:
        """Whether nothing is to be done for an order of which rows were read before.

        If its rows came apart from each other, the books do not hold it whole: that is told as often as it comes again.
        """
        known = Known.NEW if self._older is None else self._older.known(item.again)
        if known is Known.CONFLICT_AGAIN:
            self.done.conflicts += 1
        elif known is Known.SAME or (item.was_read and known is not Known.CONFLICT):
            self.done.already += 1
        else:
            return False
        if not item.was_read:
            self._note_read(item)
        return True

    def _note_read(self, item: Arrived) -> None:
        """Note that an input was read up to a record, or that every input was that has new rows of an order.

        As inputs come in their own order, a row further on says nothing of those before it: it is noted at the end.
        """
        for index, record in item.parts or ((item.input_index, item.record),):
            if record in self._refused.get(self._inputs[index].sha256, ()):
                continue  # what was read before lies before the mark
            if self._as_is and index != item.input_index:
                self._parts[index] = max(record, self._parts.get(index, 0))
            else:
                self._note_mark(index, item.occurred_at, record)
                if record >= self._parts.get(index, record + 1):
                    del self._parts[index]

    def _note_mark(self, index: int, occurred_at: int, record: int) -> None:
        mark = self._marks.get(self._inputs[index].sha256)
        if mark is None or not mark.covers(occurred_at, record):
            self._round.note_read(self._inputs[index], occurred_at, record)

    def _note_ends(self) -> None:
        """Note of every input that its records were all read. Those that mend a reject may be sent once more."""
        if self._resubmit_of:
            return
        for sha256, mark in (self._marks | self._round.read).items():
            if not mark.has_ended:
                self._round.read[sha256] = msgspec.structs.replace(mark, occurred_at=AT_ITS_END)

    def _refuse(self, item: Arrived, refusal: Refusal, source: NamedInput, before: int) -> int:
        """Refuse a record; the number of the reject that stands for it already, else 0."""
        waits = self._in_parts.reject_of(item) if self._in_parts is not None and item.was_read else 0
        standing = waits or self._round.refuse(item, refusal, source, before=before)
        if standing:
            self.done.refused_again += 1
            self.done.standing_reject = self.done.standing_reject or standing
            key = (refusal.source, refusal.event_id)
            if all(key) and refusal.reason != "conflict" and len(self.standing) < MAX_LOOKED_UP:
                known = self.standing.get(key, Standing(Place(source.sha256, item.record), standing, 0))
                self.standing[key] = known._replace(records=known.records + 1)
            return standing
        by_reason = self.done.rejects_by_reason
        by_reason[refusal.reason] = by_reason.get(refusal.reason, 0) + 1
        if self._round.has_many_rejects:
            self._write_rejects(self._round_ends_at)
        return 0

    def _end_round(self, tick_at: int) -> None:
        # A round of late facts has no tick of its own; they count as received after what was there before.
        received_at = max(tick_at, self._rounds.last_tick)
        self._uncommitted += len(self._round.facts)
        self._round.write_facts(tick_at if self._round.facts else 0, received_at)
        self._write_rejects(received_at)
        if self._uncommitted >= self._commit_facts:
            self._commit()

    def _write_rejects(self, received_at: int) -> None:
        self._uncommitted += len(self._round.rejects)
        # Where there is no tick yet, and no fact that brings one, they are received now.
        first = self._round.write_rejects(max(received_at, self._rounds.last_tick) or self._now)
        self.done.first_reject = self.done.first_reject or first

    def _commit(self) -> None:
        if not self._round.read and self._rounds.is_empty:
            return  # not even a publication
        self._marks |= self._round.read
        self.done.add(self._round.commit())
        self._uncommitted = 0
