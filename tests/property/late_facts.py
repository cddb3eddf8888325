"""Random histories with late facts: what differs in order must be what the reference ledger makes of the sorted facts.

History number n is that of `histories.py`, in every other one with all publications before the facts. Its lines are
written into books in memory, which are asked for what would differ; the reference ledger is told the facts of each
member alone, sorted, all rules and each fact's last tick before.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from processors.decider.account import FAR_FUTURE
from processors.decider.partition_machine import PartitionMachine
from processors.decider.rules.timeline import in_force
from processors.replay.rescore.differences import Cause, LineDifference, MemberDifference
from processors.replay.rescore.late import LateFound, rescore_late
from processors.replay.rescore.partition_run import Cut
from processors.replay.rescore.two_worlds import EVERYBODY, Selection
from schemas.bounds import MAX_LOTS
from schemas.facts import ClockTicked, JournalFact, JournalOpened, MemberFact, RulesetPublished
from schemas.pages import Folio, JournalLine, JournalPage, RoundCommitted
from schemas.posting import FIRST_EDITION, Posting, Reason
from tests.fakes.books import MemoryBooks
from tests.property.histories import History, Item, history_of, shown
from tests.property.two_worlds import lines_of, whole_run
from tests.reference.ledger import ReferenceLedger
from tests.run.seeds import Seeded
from tests.support.deciders import load

REFUSED = frozenset({Reason.TOO_OLD, Reason.DUPLICATE, Reason.CONFLICT})


@dataclass(frozen=True)
class Ended:
    """What a member has at the end: all points, the gross points ever earned, and the points left by expiry."""

    balance: int
    earned: int
    left: tuple[tuple[int, int], ...]


def is_publication(item: Item) -> bool:
    """Whether an item of a history publishes rules."""
    return isinstance(item, JournalLine) and isinstance(item.fact, RulesetPublished)


class Told:
    """A journal as it was decided, and what was said of it."""

    def __init__(self, history: History, selection: Selection = EVERYBODY) -> None:
        items = history.items
        if history.seed % 2:  # no fact then comes before its rules, so that all that differs is their order
            items = (items[0], *filter(is_publication, items), *itertools.filterfalse(is_publication, items[1:]))
        self.history = replace(history, items=items, max_lots=MAX_LOTS)
        self.lines = [line for line in lines_of(self.history) if not isinstance(line.fact, JournalOpened)]
        self.machine, self.postings = whole_run(self.history, self.lines, ())
        self.published = [line.fact for line in self.lines if isinstance(line.fact, RulesetPublished)]
        self.found, self.rows, self.members = self.ask(selection)

    def ask(
        self, selection: Selection = EVERYBODY, pages: int | None = None, closes_at: Folio | None = None
    ) -> tuple[LateFound, list[LineDifference], list[MemberDifference]]:
        """Write the books, or their first so many pages, and ask what would differ."""
        rows: list[LineDifference] = []
        members: list[MemberDifference] = []
        books = written(self.history.opened, self.lines[:pages], self.postings[:pages])
        found = rescore_late(
            books.read(),
            FIRST_EDITION,
            Cut(0, len(self.lines[:pages]), 0, "", closes_at),
            self.published,
            load,
            on_line=rows.append,
            on_member=members.append,
            selection=selection,
        )
        return found, rows, members

    def decided(self) -> list[tuple[MemberFact, Posting]]:
        """Every fact of a member with its posting, in order of the journal."""
        return [
            (line.fact, made[0])
            for line, made in zip(self.lines, self.postings, strict=True)
            if made and not isinstance(line.fact, ClockTicked | RulesetPublished | JournalOpened)
        ]


def written(opened: JournalOpened, lines: Sequence[JournalLine], postings: Sequence[Sequence[Posting]]) -> MemoryBooks:
    """Books of one partition with a page for each line."""
    books = MemoryBooks(opened)
    with_places: list[Posting] = []
    writer = books.write()
    for page, (line, made) in enumerate(zip(lines, postings, strict=True), 1):
        writer.append_page(0, JournalPage(page, (line,)))
        with_places += [
            msgspec.structs.replace(posting, number=len(with_places) + sub + 1, page=page, sub=sub)
            for sub, posting in enumerate(made)
        ]
    if with_places:
        writer.append_postings(FIRST_EDITION, 0, with_places)
    writer.commit(RoundCommitted(0, ()))
    writer.close()
    return books


# ------------------------------------------------------------------------------------------------ the obvious way


def in_order(told: Told, member_id: str) -> Ended:
    """What the reference ledger makes of a member's facts, sorted by when they happened; refused ones stay out."""
    ledger = ReferenceLedger(told.history.opened)
    for each in told.published:
        ledger.feed(JournalLine(each, 0))
    ticks = sorted(line.fact.at for line in told.lines if isinstance(line.fact, ClockTicked))
    mine = [fact for fact, posting in told.decided() if posting.member_id == member_id and not is_refused(posting)]
    for number, fact in enumerate(sorted(mine, key=lambda fact: fact.occurred_at)):
        before = [at for at in ticks if at <= fact.occurred_at]
        feed(ledger, ClockTicked(before[-1]) if before else None, None)
        # Each was taken as new by the books, whatever its name.
        feed(ledger, msgspec.structs.replace(fact, event_id=f"{fact.event_id}#{number}"), member_id)
    # What was due by the last tick is done, or by the last of the facts that were refused.
    refused = [
        fact.occurred_at for fact, posting in told.decided() if posting.member_id == member_id and is_refused(posting)
    ]
    ends = [*ticks, *refused]
    feed(ledger, ClockTicked(max(ends)) if ends else None, None)
    if member_id not in ledger.accounts:
        return Ended(0, 0, ())
    account = ledger.accounts[member_id]
    left: Counter[int] = Counter()
    for lot in account.lots:
        left[FAR_FUTURE if lot.expires_at is None else lot.expires_at] += lot.remaining
    return Ended(account.balance(), account.earned(), tuple(sorted((+left).items())))


def feed(ledger: ReferenceLedger, fact: JournalFact | None, member_id: str | None) -> None:
    """Tell the reference ledger something, if there is anything to tell."""
    if fact is not None:
        ledger.feed(JournalLine(fact, 0, member_id))


def is_refused(posting: Posting) -> bool:
    """Whether no rule was asked."""
    return posting.reason in REFUSED


def as_it_came(machine: PartitionMachine, member_id: str) -> Ended:
    """What a member has in the books."""
    account = machine.account(member_id)
    left: Counter[int] = Counter()
    for lot in account.lots:
        left[lot.expires_at] += lot.remaining
    return Ended(account.balance, account.earned, tuple(sorted(left.items())))


def changed(told: Told, member_id: str) -> Ended:
    """What was said that a member would have: the books, with the differences that were told."""
    before = as_it_came(told.machine, member_id)
    found = [each for each in told.members if each.member_id == member_id]
    if not found:
        return before
    (member,) = found
    assert (member.balance_before, member.earned_before) == (before.balance, before.earned)
    left = dict(before.left)
    for lots in member.left:
        expires_at = FAR_FUTURE if lots.expires_at is None else lots.expires_at
        assert left.get(expires_at, 0) == lots.points_before
        left[expires_at] = lots.points_after
    return Ended(
        member.balance_after, member.earned_after, tuple(sorted((at, points) for at, points in left.items() if points))
    )


# ------------------------------------------------------------------------------------------------ laws


def check(seed: int, seen: Counter[str]) -> None:
    """Assert all laws for the history of a seed."""
    check_told(Told(history_of(seed)), seen)


def check_told(told: Told, seen: Counter[str]) -> None:
    """Assert all laws for a history."""
    decided = told.decided()
    late = {posting.member_id for _, posting in decided if posting.late}
    assert {member.member_id for member in told.members} <= late, "somebody without late facts differs"
    assert {row.member_id for row in told.rows} <= late, "somebody without late facts has rows"
    other_rules = {posting.member_id for fact, posting in decided if has_other_rules(told, fact, posting)}
    for member_id in told.machine.accounts.members():
        expected = in_order(told, member_id)
        if member_id in late:
            assert changed(told, member_id) == expected, f"{member_id} would have something else in order"
        elif member_id not in other_rules:
            assert as_it_came(told.machine, member_id) == expected, f"{member_id} differs without a late fact"
    _check_sums(told)
    _check_counts(told, decided)
    _count(told, seen)


def has_other_rules(told: Told, fact: MemberFact, posting: Posting) -> bool:
    """Whether a fact was decided under other rules than those of the whole timeline."""
    now = in_force(told.published, fact.occurred_at)
    return not is_refused(posting) and posting.ruleset_hash != ("" if now is None else now.ruleset_hash)


def _check_sums(told: Told) -> None:
    """The rows of a member come to the difference of the balances."""
    sums: defaultdict[str, int] = defaultdict(int)
    for row in told.rows:
        assert (row.points_before, row.expires_before) != (row.points_after, row.expires_after)
        sums[row.member_id] += row.points_after - row.points_before
    for member in told.members:
        assert sums.pop(member.member_id, 0) == member.balance_after - member.balance_before
        assert member.lines == sum(row.member_id == member.member_id for row in told.rows)
    assert not sums, "rows of nobody"


def _check_counts(told: Told, decided: Sequence[tuple[MemberFact, Posting]]) -> None:
    expected = {
        "late": [posting.member_id for _, posting in decided if posting.late],
        "too_old": [posting.member_id for _, posting in decided if posting.reason == Reason.TOO_OLD],
        "before_rules": [posting.member_id for fact, posting in decided if has_other_rules(told, fact, posting)],
    }
    for name, members in expected.items():
        counted = getattr(told.found, name)
        assert (counted.facts, counted.members) == (len(members), len(set(members))), name
    assert bool(told.found.lines) == bool(expected["late"])


def _count(told: Told, seen: Counter[str]) -> None:
    seen["histories"] += 1
    seen["without late facts"] += not told.found.late.facts
    seen["late facts"] += told.found.late.facts
    seen["members with late facts"] += told.found.late.members
    seen["members who would have more"] += sum(each.balance_after > each.balance_before for each in told.members)
    seen["members who would have less"] += sum(each.balance_after < each.balance_before for each in told.members)
    seen["too old"] += told.found.too_old.facts
    seen["decided before their rules"] += told.found.before_rules.facts
    for row in told.rows:
        seen[row.cause] += 1


def broken(seed: int, seen: Counter[str]) -> str:
    """Which law a seed breaks; empty if none."""
    try:
        check(seed, seen)
    except Exception as error:  # noqa: BLE001 - whatever is raised is a finding, to be told with its seed
        return f"{type(error).__name__}: {error}"
    return ""


def holds(seed: int, seen: Counter[str]) -> bool:
    """Whether all laws hold for a seed."""
    return not broken(seed, seen)


def story(seed: int) -> str:
    """The journal of a seed with its postings, and what is wrong with it."""
    told = Told(history_of(seed))
    said = [f"seed {seed}: {told.found}"]
    for line, made in zip(told.lines, told.postings, strict=True):
        if not isinstance(line.fact, RulesetPublished):
            said += [shown(line.fact), *(f"  {shown(posting)}" for posting in made)]
    said += [shown(each) for each in (*told.rows, *told.members)]
    return "\n".join([*said, broken(seed, Counter()) or "all laws hold"])


SEEDED = Seeded(
    holds,
    story,
    ("without late facts", "members who would have more", "members who would have less", *Cause),
    least=100,
    enough=10_000,
)
