"""Ticks decide when due work is written down, never what it is: law 1 of time in the design."""

from random import Random
from typing import Final

import pytest

from schemas.bounds import DAY_MS
from schemas.facts import ClockTicked
from schemas.pages import JournalLine
from tests.property import histories
from tests.reference.local_time import HOUR_MS
from tests.support.deciders import decider_feed, purchase, reference_feed

Effect = tuple[str, int, int, int]
FIRST_SEED: Final = 50_001
HISTORIES: Final = 300
MAX_TICKS: Final = 8


def lines_of(history: histories.History, *, in_order: bool) -> list[JournalLine]:
    """What a history tells beside ticks, in its own order or in order of time.

    A key that comes again more than a horizon later is left out: whether it is still known is for the ticks to say.
    """
    items = (item for item in history.items if isinstance(item, JournalLine))
    lines = [line for line in items if not isinstance(line.fact, ClockTicked)]
    first: dict[tuple[str | None, str, str], int] = {}
    kept: list[JournalLine] = []
    for line in sorted(lines, key=when) if in_order else lines:
        fact = line.fact
        key = (line.member_id, getattr(fact, "source", ""), getattr(fact, "event_id", ""))
        if not key[2] or when(line) - first.setdefault(key, when(line)) <= history.opened.horizon_ms:
            kept.append(line)
    return kept


def when(line: JournalLine) -> int:
    """The instant of a fact or tick; 0 of what the books say themselves."""
    fact = line.fact
    return fact.at if isinstance(fact, ClockTicked) else getattr(fact, "occurred_at", 0)


def with_ticks(lines: list[JournalLine], ticks: list[int]) -> list[JournalLine]:
    """The lines with each tick put before the first place from which on nothing is overtaken by it."""
    told = list(lines)
    for at in ticks:
        place = len(told)
        while place > 0 and when(told[place - 1]) >= at:
            place -= 1
        told.insert(place, JournalLine(ClockTicked(at), 0))
    return told


def effects(history: histories.History, lines: list[JournalLine], *, of_reference: bool) -> dict[str, list[Effect]]:
    """(type, lot, points, effective_at) of each account's entries, in order, with all due work done at the end."""
    feed = (reference_feed if of_reference else decider_feed)(history.opened)
    last = JournalLine(ClockTicked(max(map(when, lines)) + 4_000 * DAY_MS), 0)
    made: dict[str, list[Effect]] = {}
    for line in [*lines, last]:
        for posting in feed(line):
            entries = [(entry.type, entry.lot, entry.points, entry.effective_at) for entry in posting.entries]
            made.setdefault(posting.member_id, []).extend(entries)
    return made


@pytest.mark.parametrize("of_reference", [False, True])
def test_ticks_that_overtake_no_fact_change_no_entry(*, of_reference: bool) -> None:
    found = 0
    for seed in range(FIRST_SEED, FIRST_SEED + HISTORIES):
        history, rng = histories.history_of(seed), Random(seed)
        lines = lines_of(history, in_order=rng.random() < 0.5)
        first, last = min(filter(None, map(when, lines)), default=1), max(map(when, lines))
        hours = range(0, last - first + 2 * DAY_MS, HOUR_MS)
        ticks = [first // HOUR_MS * HOUR_MS + rng.choice(hours) for _ in range(rng.randint(1, MAX_TICKS))]
        plain = effects(history, lines, of_reference=of_reference)
        assert effects(history, with_ticks(lines, ticks), of_reference=of_reference) == plain, f"seed {seed}"
        found += sum(map(len, plain.values()))
    assert found > HISTORIES


def test_a_tick_stands_where_it_overtakes_nothing() -> None:
    purchases = [JournalLine(purchase(f"e{at}", at), 0, "ann") for at in (10, 30, 20)]
    told = with_ticks(purchases, [15, 25])
    assert [when(line) for line in told] == [10, 15, 30, 20, 25]
