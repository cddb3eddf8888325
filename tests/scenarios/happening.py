"""What may happen in a scenario, in words, and the facts that these words stand for.

    buys 12.50 of beans (food/acme) x2 + 3.00, at s1, via web, with card, in USD, brought by bob, tier=gold
    buys 12.50 + -2.50 of discount    a line that takes something off; `-0.25 of deposit x-1` brings something back
    buys 12.50, order 9001            the order's id, where other events may have the same
    buys nothing                      an order without lines
    checks in, at s1
    shares on here, content c1, of beans
    reviews beans, 5 stars, 120 characters, 2 media
    refers bob
    …, as p-1, from kiosk             names (and its source) the event; the same name again is the same key
    again p-1                         tells that very fact once more

An amount without `of` is of the SKU `item`; `x2` is a quantity of two units. A member called `guest` is none.
"""

import re
from decimal import Decimal
from typing import Any

from schemas.facts import (
    CheckedIn,
    ContentShared,
    PublishedFact,
    PurchaseLine,
    PurchaseRecorded,
    ReferralMade,
    ReviewSubmitted,
)

GUEST = "guest"
LINE = re.compile(r"(-?[\d_]+(?:\.\d\d)?)(?: of ([\w-]+))?(?: \(([\w-]*)(?:/([\w-]*))?\))?(?: x(-?[\d.]+))?")
CLAUSES = {
    "at": "store_id",
    "via": "channel",
    "with": "tender",
    "in": "currency",
    "brought by": "referrer_id",
    "as": "event_id",
    "order": "order_id",
    "content": "content_id",
    "of": "sku",
    "from": "source",
}
COUNTS = {"stars": "rating", "characters": "text_length", "media": "media_count"}


def fact_of(who: str, happened: str, occurred_at: int, number: int) -> PublishedFact:
    """The fact that the words of row `number` stand for.

    Raises:
        ValueError: if the words are none that a scenario knows.
    """
    head, *clauses = [part.strip() for part in happened.split(",")]
    verb, _, rest = head.partition(" ")
    fields: dict[str, Any] = {"source": "scenario", "event_id": f"row-{number}", "occurred_at": occurred_at}
    for clause in clauses:
        _add_clause(fields, clause)
    if verb == "buys":
        fields.setdefault("currency", "EUR")
        fields.setdefault("order_id", f"order-{fields['event_id']}")
        member = None if who == GUEST else who
        return PurchaseRecorded(**fields, lines=_lines(rest), member_id=member)
    if head == "checks in":
        return CheckedIn(**fields, member_id=who)
    if verb == "shares":
        return ContentShared(**fields, member_id=who, network=rest.removeprefix("on "))
    if verb == "reviews":
        return ReviewSubmitted(**fields, member_id=who, sku=rest)
    if verb == "refers":
        return ReferralMade(**fields, referrer_id=who, referee_id=rest)
    raise ValueError(f"nothing that can happen: {happened}")


def _lines(text: str) -> tuple[PurchaseLine, ...]:
    if text == "nothing":
        return ()
    return tuple(_line(part) for part in text.split(" + "))


def _line(text: str) -> PurchaseLine:
    found = LINE.fullmatch(text)
    if found is None:
        raise ValueError(f"not a line of an order: {text}")
    amount, sku, category, brand, quantity = found.groups()
    return PurchaseLine(
        sku=sku or "item",
        amount_minor=int(Decimal(amount) * 100),
        quantity_milli=int(Decimal(quantity or "1") * 1000),
        category=category or "",
        brand=brand or "",
    )


def _add_clause(fields: dict[str, Any], clause: str) -> None:
    if "=" in clause:
        name, _, value = clause.partition("=")
        fields.setdefault("attributes", {})[name] = value
        return
    first, _, second = clause.rpartition(" ")
    if first in CLAUSES:
        fields[CLAUSES[first]] = second
    elif second in COUNTS:
        fields[COUNTS[second]] = int(first)
    else:
        raise ValueError(f"not a clause: {clause}")
