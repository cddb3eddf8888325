"""One valid event of each kind that publishers may send: the first thing a newcomer feeds to Tallybook."""

from __future__ import annotations

import json
from typing import Final

import msgspec

from schemas.facts import (
    FACT_KINDS,
    CheckedIn,
    ContentShared,
    PublishedFact,
    PurchaseLine,
    PurchaseRecorded,
    ReferralMade,
    ReviewSubmitted,
)
from schemas.instants import format_instant

# The words for kinds of facts that people type.
KINDS: Final[dict[str, type[PublishedFact]]] = {word.replace("_", "-"): kind.fact for word, kind in FACT_KINDS.items()}

_SOURCE: Final = "example"
_MEMBER: Final = "member-1"


def example_fact(kind: str, occurred_at: int) -> PublishedFact:
    """The example of a kind, happening at `occurred_at` (UTC ms); raises KeyError for an unknown kind."""
    examples: dict[str, PublishedFact] = {
        "purchase": PurchaseRecorded(
            source=_SOURCE,
            event_id="purchase-1",
            occurred_at=occurred_at,
            order_id="order-1",
            currency="EUR",
            lines=(
                PurchaseLine(sku="espresso-beans", amount_minor=1290, category="coffee", brand="Tally"),
                PurchaseLine(sku="oat-drink", amount_minor=398, quantity_milli=2000, discount_minor=60),
            ),
            member_id=_MEMBER,
            channel="store",
            store_id="store-1",
            tender="card",
        ),
        "check-in": CheckedIn(_SOURCE, "check-in-1", occurred_at, _MEMBER, store_id="store-1", channel="app"),
        "share": ContentShared(
            _SOURCE, "share-1", occurred_at, _MEMBER, network="mastodon", content_id="recipe-7", channel="app"
        ),
        "review": ReviewSubmitted(
            _SOURCE,
            "review-1",
            occurred_at,
            _MEMBER,
            sku="espresso-beans",
            rating=5,
            text_length=240,
            media_count=1,
            order_id="order-1",
            channel="web",
        ),
        "referral": ReferralMade(
            _SOURCE, "referral-1", occurred_at, referrer_id=_MEMBER, referee_id="member-2", channel="app"
        ),
    }
    return examples[kind]


def example_json(kind: str, occurred_at: int) -> str:
    """The example of a kind as one line of JSON, as a publisher would send it: the instant as RFC 3339 text.

    `occurred_at` is in UTC ms. Raises KeyError for an unknown kind.
    """
    event: dict[str, object] = msgspec.to_builtins(example_fact(kind, occurred_at))
    return json.dumps(event | {"occurred_at": format_instant(occurred_at)}, ensure_ascii=False)
