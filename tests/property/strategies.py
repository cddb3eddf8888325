"""Hypothesis strategies for facts and rules that meet: few members, stores and SKUs, instants an hour apart."""

from typing import Final

from hypothesis import strategies as st

from schemas.facts import (
    CheckedIn,
    ContentShared,
    JournalOpened,
    PublishedFact,
    PurchaseLine,
    PurchaseRecorded,
    ReferralMade,
    ReviewSubmitted,
)
from tests.reference.local_time import DAY_MS, HOUR_MS

START: Final = 1_774_310_400_000  # 2026-03-24T00:00:00Z, five days before clocks change in Berlin
MAX_HOURS: Final = 40 * 24
MEMBERS: Final = ("ann", "Bob", "çelik")
STORES: Final = ("", "s1")
SKUS: Final = ("A", "B")
ZONE: Final = "Europe/Berlin"

HEAD: Final = """\
programme: laws
version: "{version}"
timezone: Europe/Berlin
currency: EUR
"""
RULESETS: Final = (
    HEAD.format(version="short")
    + """\
rounding: half_even
expiry: {kind: rolling, days: 3}
limits:
  - {id: a-day, per: day, points: 20}
  - {id: per-sku, per: lifetime, times: 1, each: sku}
rules:
  - {id: base, kind: spend, points: 1.5, per_minor: 100, limits: [a-day]}
  - {id: at-s1, kind: fixed, on: purchase, points: 3, when: {store_id: s1}, expiry: {kind: rolling, days: 0}}
  - {id: weekend, kind: multiplier, factor: 2, active: {weekdays: [saturday, sunday]}}
  - {id: streak, kind: streak, daily: 2, steps: [{day: 2, bonus: 5}], beyond: restart, grace_days: 1}
  - {id: review, kind: fixed, on: review, points: 10, limits: [per-sku]}
  - {id: friends, kind: referral, referrer_points: 50, referee_points: 20, claim_ranks: [1, 2]}
examples: []
""",
    HEAD.format(version="long")
    + """\
expiry: {kind: rolling, months: 1, round_up_to: month}
limits:
  - {id: a-day, per: day, points: 30, when_reached: refuse}
  - {id: a-week, per: week, times: 3, each: store_id}
rules:
  - {id: base, kind: spend, points: 1, per_minor: 50, limits: [a-day]}
  - {id: visit, kind: fixed, on: check_in, points: 1, limits: [a-week]}
  - {id: streak, kind: streak, daily: 1, steps: [{day: 3, bonus: 9}], beyond: repeat, grace_days: 1}
  - {id: share, kind: fixed, on: share, points: 4, expiry: {kind: none}}
examples: []
""",
    HEAD.format(version="fixed")
    + """\
expiry: {kind: fixed, on: 2026-04-10}
rules:
  - {id: base, kind: spend, points: 1, per_minor: 100}
  - {id: item, kind: fixed, on: purchase, points: 1, per: line, expiry: {kind: rolling, days: 1}}
  - {id: streak, kind: streak, daily: 1, grace_days: 1}
  - {id: friends, kind: referral, referrer_points: 5, referee_points: 0, min_amount_minor: 500}
examples: []
""",
)


def opened(horizon_days: int = 10) -> JournalOpened:
    """The constants of a small partition; a referral window of five days."""
    return JournalOpened(
        deployment="laws",
        generation=1,
        partitions=1,
        partition=0,
        horizon_ms=horizon_days * DAY_MS,
        referral_window_ms=5 * DAY_MS,
    )


instants = st.integers(0, MAX_HOURS).map(lambda hours: START + hours * HOUR_MS)
event_ids = st.integers(1, 60).map(lambda number: f"e{number}")
members = st.sampled_from(MEMBERS)
lines = st.builds(
    PurchaseLine,
    sku=st.sampled_from(SKUS),
    amount_minor=st.sampled_from((0, 33, 100, 500, 1900)),
    quantity_milli=st.just(1000),
)


def facts(member: st.SearchStrategy[str] = members) -> st.SearchStrategy[PublishedFact]:
    """Any published fact of (or, a referral, about) a member."""
    common = {"source": st.just("pos"), "event_id": event_ids, "occurred_at": instants}
    stores = st.sampled_from(STORES)
    referral = st.builds(ReferralMade, **common, referrer_id=st.sampled_from(("dee", "eve")), referee_id=member)
    return st.one_of(
        st.builds(
            PurchaseRecorded,
            **common,
            order_id=event_ids,
            currency=st.sampled_from(("EUR", "EUR", "EUR", "USD")),
            lines=st.lists(lines, max_size=2).map(tuple),
            member_id=member,
            store_id=stores,
            referrer_id=st.sampled_from((None, None, *MEMBERS)),
        ),
        st.builds(CheckedIn, **common, member_id=member, store_id=stores),
        st.builds(ContentShared, **common, member_id=member, store_id=stores),
        st.builds(ReviewSubmitted, **common, member_id=member, sku=st.sampled_from(SKUS)),
        referral,
    )


def purchase(*, event_id: str, occurred_at: int, referrer_id: str | None = None) -> PurchaseRecorded:
    """A purchase of Ann's, for tests that need one exactly so."""
    return PurchaseRecorded(
        source="pos",
        event_id=event_id,
        occurred_at=occurred_at,
        order_id=event_id,
        currency="EUR",
        lines=(PurchaseLine("A", 100),),
        member_id="ann",
        referrer_id=referrer_id,
    )
