"""The bounds of an account's memory that no small history reaches, read alike by the decider and the reference."""

from collections.abc import Callable

import pytest

from schemas.facts import JournalOpened, ReferralMade
from schemas.pages import JournalLine
from tests.deciders import Feed, decider_feed, reference_feed
from tests.property import strategies

REMEMBERED = 1_000
FORGOTTEN = 3


@pytest.mark.parametrize("start", [decider_feed, reference_feed], ids=["decider", "reference"])
def test_a_late_claim_finds_the_last_thousand_purchases(start: Callable[[JournalOpened], Feed]) -> None:
    feed = start(strategies.opened())
    for number in range(REMEMBERED + FORGOTTEN):
        purchase = strategies.purchase(event_id=f"e{number}", occurred_at=strategies.START + 1 + number)
        feed(JournalLine(purchase, 0, "ann"))
    claim = ReferralMade("crm", "r1", strategies.START, referrer_id="bob", referee_id="ann")
    (posting,) = feed(JournalLine(claim, 0, "ann"))
    told = [(owed.member_id, owed.purchase_rank) for owed in posting.owed]
    ranks = range(FORGOTTEN + 1, REMEMBERED + FORGOTTEN + 1)
    assert told == [(member, rank) for rank in ranks for member in ("bob", "ann")]
