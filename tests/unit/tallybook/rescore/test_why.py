"""Why a member has more or less under a draft: the lines of the run, each decided in both worlds."""

from functools import cache

import msgspec
import pytest

from processors.embedded.rounds import Taken
from processors.replay.rescore.differences import LineDifference, MemberDifference
from processors.replay.rescore.partition_run import Kept, rescore_partition
from processors.replay.rescore.two_worlds import EVERYBODY, Selection
from schemas.pages import Folio
from schemas.posting import FIRST_EDITION, RuleLayer, RuleSpan
from tallybook.rescore.cuts import make_cuts
from tallybook.rescore.plan import Draft, Plan, RescoreRefused
from tallybook.rescore.why import MemberRescored, explain_member
from tests.fakes.books import MemoryBooks
from tests.reference.local_time import DAY_MS
from tests.support.deciders import load, published
from tests.support.small_imports import MEMBERS, RULES, START, new_books, random_facts, rounds_of

DAYS = 8
TIGHTER = RULES.replace("points: 40", "points: 15").replace("days: 3", "days: 2")
LAYERS = (
    RuleLayer(1, (RuleSpan(START + DAY_MS, published(TIGHTER, "Europe/Berlin", version="2", effective_from=0)),)),
)
DRAFT = Draft("tighter", LAYERS)


@cache
def books() -> MemoryBooks:
    made = new_books()
    rounds = rounds_of(made.write())
    facts = random_facts(5, days=DAYS, a_day=40)
    for day in range(DAYS):
        ends_at = START + (day + 1) * DAY_MS
        mine = [fact for fact in facts if ends_at - DAY_MS <= fact.occurred_at < ends_at]
        rounds.take([Taken(fact, "ab" * 32, 1) for fact in mine], ends_at, ends_at)
        rounds.commit([])
    made.die()
    return made


def plan(selection: Selection = EVERYBODY) -> Plan:
    cuts, last_tick = make_cuts(books().read(), FIRST_EDITION)
    return Plan("imports", 1, START, FIRST_EDITION, cuts, last_tick, (DRAFT,), selection)


def found_by_the_run(made: Plan) -> tuple[list[LineDifference], dict[str, MemberDifference]]:
    lines: list[LineDifference] = []
    members: list[MemberDifference] = []
    kept = Kept(LAYERS, lines.append, members.append)
    for cut in made.cuts:
        rescore_partition(books().read(), FIRST_EDITION, cut, [kept], load)
    return lines, {member.member_id: member for member in members}


def explained(made: Plan, member_id: str, event: str = "") -> MemberRescored:
    return explain_member(books().read(), made, DRAFT, member_id, event, lambda: None)


def test_each_members_lines_are_those_of_the_run() -> None:
    lines, members = found_by_the_run(plan())
    assert len(members) > 3
    for member_id in MEMBERS:
        found = explained(plan(), member_id)
        told = [difference for line in found.lines for difference in line.differences] + found.expired
        assert told == [line for line in lines if line.member_id == member_id]
        assert found.member == members.get(member_id)


def test_both_decisions_stand_side_by_side() -> None:
    lines, _ = found_by_the_run(plan())
    first = next(line for line in lines if line.rule_id == "base")
    (line,) = explained(plan(), first.member_id, first.event_id).lines
    assert (line.source, line.event_id, line.fact_type) == (first.source, first.event_id, first.fact_type)
    assert [difference.rule_id for difference in line.differences] == ["base"]
    paid = [
        {entry.rule_id: entry.points for entry in seen.entries if entry.rule_id}.get("base", 0)
        for seen in (line.before, line.after)
    ]
    assert paid == [first.points_before, first.points_after]


def test_nothing_behind_the_last_line_compared_is_told() -> None:
    """The partitions of a stream are compared up to a tick that all have passed."""
    made = plan()
    closed = tuple(
        msgspec.structs.replace(cut, closes_at=_tick(cut.partition, START + 4 * DAY_MS)) for cut in made.cuts
    )
    short = msgspec.structs.replace(made, cuts=closed)
    lines, members = found_by_the_run(short)
    assert 0 < len(lines) < len(found_by_the_run(made)[0])
    for member_id in MEMBERS:
        found = explained(short, member_id)
        told = [difference for line in found.lines for difference in line.differences] + found.expired
        assert told == [line for line in lines if line.member_id == member_id]
        assert found.member == members.get(member_id)


def _tick(partition: int, at: int) -> Folio:
    return next(
        Folio(page.page, number)
        for _, page in books().read().read_journal(partition)
        for number, line in enumerate(page.lines)
        if getattr(line.fact, "at", None) == at
    )


def test_who_has_no_account_or_is_not_in_the_sample_is_refused() -> None:
    with pytest.raises(RescoreRefused, match="member nobody has no account in these books"):
        explained(plan(), "nobody")
    with pytest.raises(RescoreRefused, match="member m-1 is not in the sample of this run"):
        explained(plan(Selection(frozenset({"m-2"}))), "m-1")
    with pytest.raises(RescoreRefused, match="member m-1 has no event p-none"):
        explained(plan(), "m-1", "p-none")


@pytest.mark.parametrize("other", [{"opened_at": START + 1}, {"generation": 2}, {"deployment": "another"}])
def test_other_books_than_those_of_the_run_are_refused(other: dict[str, object]) -> None:
    with pytest.raises(RescoreRefused, match="these are not the books that were re-scored"):
        explained(msgspec.structs.replace(plan(), **other), "m-1")


def test_an_older_copy_of_the_books_is_refused() -> None:
    made = plan()
    cuts = tuple(msgspec.structs.replace(cut, page=cut.page + 1) for cut in made.cuts)
    with pytest.raises(RescoreRefused, match="these books end before what was re-scored"):
        explained(msgspec.structs.replace(made, cuts=cuts), "m-1")
