"""Ticks decide when due work is written down, never what it is: law 1 of time in the design."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from schemas.bounds import DAY_MS
from schemas.facts import ClockTicked, PublishedFact, RefereePurchased, members_of
from schemas.pages import JournalLine
from tests.property import strategies
from tests.support.deciders import decider_feed, published, reference_feed

Effect = tuple[str, int, int, int]
MEMBER = "ann"
LAST_TICK = strategies.START + 4_000 * DAY_MS


def lines_of(facts: Sequence[PublishedFact]) -> list[JournalLine]:
    return [JournalLine(fact, 0, MEMBER) for fact in facts if MEMBER in members_of(fact)]


def with_ticks(lines: list[JournalLine], ticks: list[int]) -> list[JournalLine]:
    """The lines with each tick put before the first place from which on nothing is overtaken by it."""
    told = list(lines)
    for at in ticks:
        place = len(told)
        while place > 0 and when(told[place - 1]) >= at:
            place -= 1
        told.insert(place, JournalLine(ClockTicked(at), 0))
    return told


def when(line: JournalLine) -> int:
    fact = line.fact
    assert isinstance(fact, PublishedFact | RefereePurchased | ClockTicked)
    return fact.at if isinstance(fact, ClockTicked) else fact.occurred_at


def effects(version: str, lines: list[JournalLine], *, of_reference: bool) -> list[Effect]:
    """(type, lot, points, effective_at) of all entries of the account, in order, with all due work done at the end."""
    feed = (reference_feed if of_reference else decider_feed)(strategies.opened())
    feed(JournalLine(published(version, strategies.ZONE, version="1", effective_from=strategies.START), 0))
    made: list[Effect] = []
    for line in [*lines, JournalLine(ClockTicked(LAST_TICK), 0)]:
        for posting in feed(line):
            made += [(entry.type, entry.lot, entry.points, entry.effective_at) for entry in posting.entries]
    return made


@given(
    version=st.sampled_from(strategies.RULESETS),
    facts=st.lists(strategies.facts(st.just(MEMBER)), max_size=25, unique_by=lambda fact: fact.event_id),
    in_order=st.booleans(),
    ticks=st.lists(strategies.instants, min_size=1, max_size=8),
    of_reference=st.booleans(),
)
def test_ticks_that_overtake_no_fact_change_no_entry(
    version: str, facts: list[PublishedFact], ticks: list[int], *, in_order: bool, of_reference: bool
) -> None:
    if in_order:
        facts = sorted(facts, key=lambda fact: fact.occurred_at)
    lines = lines_of(facts)
    plain = effects(version, lines, of_reference=of_reference)
    assert effects(version, with_ticks(lines, ticks), of_reference=of_reference) == plain


def test_a_tick_stands_where_it_overtakes_nothing() -> None:
    purchases = [
        strategies.purchase(event_id="early", occurred_at=10),
        strategies.purchase(event_id="late", occurred_at=30),
        strategies.purchase(event_id="before", occurred_at=20),
    ]
    told = with_ticks(lines_of(purchases), [15, 25])
    assert [when(line) for line in told] == [10, 15, 30, 20, 25]
