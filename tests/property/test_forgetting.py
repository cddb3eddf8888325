"""Forgetting changes no decision: an account that forgets at every fact, and one that never does, post the same."""

from collections import Counter
from typing import Final

import msgspec

from processors.decider.account import FAR_FUTURE
from processors.decider.partition_machine import PartitionMachine
from schemas.bounds import DAY_MS
from schemas.facts import JournalOpened
from schemas.pages import JournalLine
from schemas.posting import Posting
from tests.property import histories
from tests.support.deciders import load

FIRST_SEED: Final = 20_001
HISTORIES: Final = 400
KEPT: Final = ("seen", "purchases", "claims", "claims_paid", "totals", "counters", "first_charged")


class Minded:
    """A machine whose accounts forget whenever they can (`forget_next_at` 0), or never (FAR_FUTURE)."""

    def __init__(self, opened: JournalOpened, forget_next_at: int) -> None:
        self.machine = PartitionMachine(opened, (), load)
        self.forget_next_at = forget_next_at

    def feed(self, line: JournalLine) -> list[Posting]:
        postings = self.machine.feed(line)
        for posting in postings:
            self.machine.account(posting.member_id).forget_next_at = self.forget_next_at
        return postings

    def kept(self) -> Counter[str]:
        kept = Counter({name: sum(len(getattr(one, name)) for one in self.machine.accounts) for name in KEPT})
        kept["totals"] = sum(len(periods) for one in self.machine.accounts for periods in one.totals.values())
        return kept


def with_horizon(history: histories.History, days: int) -> histories.History:
    """The history as it is told under a shorter horizon, so that there is more to forget."""
    opened = msgspec.structs.replace(history.opened, horizon_ms=days * DAY_MS)
    return histories.History(history.seed, history.theme, opened, history.items)


def test_what_is_forgotten_is_never_missed() -> None:
    forgotten: Counter[str] = Counter()
    for seed in range(FIRST_SEED, FIRST_SEED + HISTORIES):
        history = histories.history_of(seed)
        if seed % 2:
            history = with_horizon(history, 1)
        forgets, remembers = Minded(history.opened, 0), Minded(history.opened, FAR_FUTURE)
        for line, (one, other) in histories.play(history.items, (forgets.feed, remembers.feed)):
            assert one == other, f"seed {seed}: {line.fact}"
        forgotten += remembers.kept() - forgets.kept()
    assert all(forgotten[name] > 0 for name in KEPT), f"each kind was forgotten now and then: {forgotten}"
