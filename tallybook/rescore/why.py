"""Explains what a draft changes for one member: every line that differs, decided in both worlds with its arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from books.log import LogReader
from books.walk import WalkedLine
from processors.decider.partition_machine import PartitionMachine
from processors.replay.rescore.differences import LineDifference, MemberDifference
from processors.replay.rescore.draft_world import DraftWorld
from processors.replay.rescore.partition_run import Cut
from processors.replay.rescore.two_worlds import Selection, TwoWorlds
from schemas.facts import ClockTicked, JournalOpened, RulesetPublished
from schemas.instants import format_instant
from schemas.pages import Folio, JournalLine
from schemas.partitions import partition_of
from tallybook.explain.account_walk import Moment, load
from tallybook.explain.model import PostingSeen
from tallybook.explain.posting import explain_posting
from tallybook.rescore.plan import Draft, Plan, RescoreRefused
from tallybook.rescore.present import require_books_of

MAX_EXPLAINED: Final = 1_000


class LineExplained(msgspec.Struct):
    """One fact in both worlds: where they differ, and how each came to its result."""

    source: str
    event_id: str
    fact_type: str
    occurred_at: str
    differences: list[LineDifference]
    before: PostingSeen
    after: PostingSeen


class MemberRescored(msgspec.Struct):
    """What a draft changes for one member: lines in the order of the journal, and what expired otherwise.

    `member` is None where nothing changes. `more` counts lines that differ behind the first MAX_EXPLAINED.
    """

    member_id: str
    draft: str
    member: MemberDifference | None
    lines: list[LineExplained]
    expired: list[LineDifference]
    more: int = 0


def explain_member(
    log: LogReader, plan: Plan, draft: Draft, member_id: str, event: str, on_line: Callable[[], object]
) -> MemberRescored:
    """Decide one member again in both worlds; with `event` only its lines are given, whether they differ or not.

    Raises:
        RescoreRefused: the member has no account, or no such event; or these are not the books of the run.
        BooksError: the journal cannot be read.
    """
    if not plan.selection.takes(member_id):
        raise RescoreRefused(f"member {member_id} is not in the sample of this run")
    cut = plan.cuts[partition_of(member_id, log.partitions)]
    _require_books_of(plan, log, cut)
    walking = _MemberInTwoWorlds(log, plan, draft, member_id, event)
    for line, place in _compared(log, cut):
        on_line()
        walking.feed(line, place)
    found = walking.finish()
    if not walking.has_account:
        raise RescoreRefused(f"member {member_id} has no account in these books")
    if event and not found.lines:
        raise RescoreRefused(f"member {member_id} has no event {event} up to {format_instant(plan.last_tick)}")
    return found


def _require_books_of(plan: Plan, log: LogReader, cut: Cut) -> None:
    require_books_of(plan, log)
    last = log.last_page(cut.partition)
    if cut.page > (-1 if last is None else last.page):
        raise RescoreRefused(
            "these books end before what was re-scored, so they are an older copy: run it again over them "
            "(`tallybook rescore run`)"
        )


def _compared(log: LogReader, cut: Cut) -> Iterator[tuple[JournalLine, Folio]]:
    """The lines of a partition that a run compares, each with its place."""
    for _, page in log.read_journal(cut.partition):
        if page.page > cut.page:
            return
        for number, line in enumerate(page.lines):
            place = Folio(page.page, number)
            yield line, place
            if place == cut.closes_at:
                return


class _MemberInTwoWorlds:
    def __init__(self, log: LogReader, plan: Plan, draft: Draft, member_id: str, event: str) -> None:
        self._told: list[LineDifference] = []
        opened = log.opened()
        selection = Selection(members=frozenset({member_id}))
        base_layers = log.edition(plan.base).layers
        self._worlds = TwoWorlds(opened, base_layers, [(draft.layers, self._told.append)], load, selection)
        self._draft: DraftWorld = self._worlds.drafts[0]
        self._event = event
        self._found = MemberRescored(member_id, draft.name, None, [], [])

    @property
    def has_account(self) -> bool:
        """Whether the member had any fact."""
        return self._worlds.base.account(self._found.member_id).seq > 0

    def feed(self, line: JournalLine, place: Folio) -> None:
        """Decide a line in both worlds; explain it first, as the accounts are then what it met."""
        fact, member_id = line.fact, self._found.member_id
        if isinstance(fact, ClockTicked | RulesetPublished | JournalOpened) or line.member_id != member_id:
            self._worlds.feed(line, place)
            return
        explained: list[PostingSeen] = []
        before = len(self._told)
        is_asked = self._event in (fact.event_id, f"{fact.source}/{fact.event_id}")
        if is_asked or not self._event:
            explained = [self._explained(each, line, place) for each in (self._worlds.base, self._draft.machine)]
        self._worlds.feed(line, place)
        told = self._told[before:]
        if not explained or not (told or is_asked):
            return
        if len(self._found.lines) == MAX_EXPLAINED:
            self._found.more += 1
            return
        self._found.lines.append(
            LineExplained(
                source=fact.source,
                event_id=fact.event_id,
                fact_type=type(fact).__name__,
                occurred_at=format_instant(fact.occurred_at),
                differences=told,
                before=explained[0],
                after=explained[1],
            )
        )

    def finish(self) -> MemberRescored:
        """What was found, with the accounts at the end."""
        before = len(self._told)
        self._found.member = next(self._draft.finish(), None)
        self._found.expired = self._told[before:]
        return self._found

    def _explained(self, machine: PartitionMachine, line: JournalLine, place: Folio) -> PostingSeen:
        fact = line.fact
        if isinstance(fact, ClockTicked | RulesetPublished | JournalOpened):
            raise AssertionError("a book fact concerns no member")  # noqa: TRY004 - a fault of this program
        shared = machine is not self._worlds.base and not self._draft.has_parted(self._found.member_id)
        account = (self._worlds.base if shared else machine).account(self._found.member_id)
        posting = machine.decide_for(account, fact)
        walked = WalkedLine(place, line, (posting,), scored=True)
        return explain_posting(Moment(walked, [posting], machine, account), fact, posting)
