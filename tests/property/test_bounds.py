"""The bounds of an account's memory that no small history reaches, read alike by the decider and the reference."""

from collections.abc import Callable

import pytest

from schemas.bounds import DAY_MS, MAX_LOTS
from schemas.facts import ClockTicked, ContentShared, JournalOpened, ReferralMade
from schemas.pages import JournalLine
from schemas.posting import Posting, Reason
from tests.support.deciders import START, Feed, decider_feed, opened, published, purchase, reference_feed

REMEMBERED = 1_000
FORGOTTEN = 3


@pytest.mark.parametrize("start", [decider_feed, reference_feed], ids=["decider", "reference"])
def test_a_late_claim_finds_the_last_thousand_purchases(start: Callable[[JournalOpened], Feed]) -> None:
    feed = start(opened())
    for number in range(REMEMBERED + FORGOTTEN):
        feed(JournalLine(purchase(f"e{number}", START + 1 + number), 0, "ann"))
    claim = ReferralMade("crm", "r1", START, referrer_id="bob", referee_id="ann")
    (posting,) = feed(JournalLine(claim, 0, "ann"))
    told = [(owed.member_id, owed.purchase_rank) for owed in posting.owed]
    ranks = range(FORGOTTEN + 1, REMEMBERED + FORGOTTEN + 1)
    assert told == [(member, rank) for rank in ranks for member in ("bob", "ann")]


SHARES = """\
programme: p
version: "1"
timezone: UTC
currency: EUR
rules:
  - {id: share, kind: fixed, on: share, points: 10, expiry: {kind: rolling, days: 30}}
  - {id: tell, kind: fixed, on: share, points: 1, when: {network: b}, expiry: {kind: rolling, days: 60}}
"""


def share(feed: Feed, number: int, at: int, network: str = "a") -> Posting:
    fact = ContentShared("app", f"e{number}", at, "ann", network)
    (posting,) = feed(JournalLine(fact, 0, "ann"))
    return posting


@pytest.mark.parametrize(
    ("start", "bound"), [(decider_feed, MAX_LOTS), (decider_feed, 4), (reference_feed, 4)], ids=["real", "few", "read"]
)
def test_an_account_that_holds_all_the_lots_it_may_is_awarded_nothing(
    start: Callable[[JournalOpened, int], Feed], bound: int
) -> None:
    feed = start(opened(), bound)
    feed(JournalLine(published(SHARES, "UTC", version="1", effective_from=START), 0))
    for number in range(bound - 1):
        assert share(feed, number, START).reason is None
    last = share(feed, bound, START + 1, network="b")
    assert [entry.rule_id for entry in last.entries] == ["share"], "there is room for one of the two"
    assert last.reason is None
    full = share(feed, bound + 1, START + 2, network="b")
    assert (full.reason, full.entries, full.balance) == (Reason.TOO_MANY_LOTS, (), 10 * bound)
    (tick,) = feed(JournalLine(ClockTicked(START + 32 * DAY_MS), 0))
    assert len(tick.entries) == bound
    roomy = share(feed, bound + 2, START + 32 * DAY_MS, network="b")
    assert [entry.lot for entry in roomy.entries] == [bound + 1, bound + 2]
