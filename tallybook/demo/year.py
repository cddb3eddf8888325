"""Writes the demo's events: a fixed, seeded year of a coffee chain, as its tills and apps would publish it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

from schemas.bounds import DAY_MS
from schemas.instants import format_instant
from tallybook.demo.defaults import FACTS, MEMBERS, SEED

DEMO_YEAR_STARTS_AT: Final = 1_735_689_600_000  # 2025-01-01T00:00:00Z
DAYS: Final = 365

STORES: Final = ("mitte", "kreuzberg", "altona", "schwabing", "nippes", "plagwitz", "neustadt", "linden")
# (sku, category, brand, price in cents, how often): what the chain sells.
MENU: Final = (
    ("espresso", "coffee", "house", 240, 18),
    ("flat-white", "coffee", "house", 390, 24),
    ("filter-xl", "coffee", "house", 350, 14),
    ("oat-latte", "coffee", "house", 450, 16),
    ("croissant", "bakery", "house", 280, 14),
    ("banana-bread", "bakery", "house", 360, 9),
    ("avocado-toast", "food", "house", 790, 5),
    ("beans-250g", "beans", "single-origin", 1190, 6),
    ("beans-1kg", "beans", "house", 2990, 2),
    ("cup-to-go", "merchandise", "house", 1990, 2),
    ("gift-card-25", "gift-card", "house", 2500, 1),
)
# The kinds of event, out of 1,000: each constant is the upper bound of its kind.
_PURCHASES: Final = 560
_CHECK_INS: Final = 860
_SHARES: Final = 930
_REVIEWS: Final = 988

Event = dict[str, Any]


class DemoYear:
    """Makes events in order of time; the same seed gives the same events on any machine.

    Only `Random.random` is used, whose sequence Python promises to keep.
    """

    def __init__(self, facts: int = FACTS, members: int = MEMBERS, seed: int = SEED) -> None:
        self.facts = facts
        self._random = Random(seed).random
        self._members = [f"m{number:05d}" for number in range(1, members + 1)]
        self._weights = [weight for *_, weight in MENU]
        self._menu_total = sum(self._weights)
        self._makers: dict[str, Callable[[int, int], Event]] = {
            "purchase": self._purchase,
            "check_in": self._check_in,
            "share": self._share,
            "review": self._review,
            "referral": self._referral,
        }

    def events(self) -> Iterator[tuple[str, Event]]:
        """Make the events, each with the name of the system that publishes it; a few come twice, as in practice."""
        step = DAYS * DAY_MS / self.facts
        last: tuple[str, Event] | None = None
        for number in range(self.facts):
            if last is not None and self._random() < 0.002:
                yield last
                continue
            at = DEMO_YEAR_STARTS_AT + self._opening_hours(int(number * step + self._random() * step))
            last = self._event(number, at)
            yield last

    def _event(self, number: int, at: int) -> tuple[str, Event]:
        dice = self._below(1000)
        if dice < _PURCHASES:
            kind, system = "purchase", "pos"
        elif dice < _CHECK_INS:
            kind, system = "check_in", "app"
        elif dice < _SHARES:
            kind, system = "share", "app"
        elif dice < _REVIEWS:
            kind, system = "review", "shop"
        else:
            kind, system = "referral", "app"
        event = self._makers[kind](number, at)
        return system, {
            **event,
            "source": system,
            "event_id": f"{system}-{number:06d}",
            "occurred_at": format_instant(at),
        }

    def _opening_hours(self, at: int) -> int:
        """Move an instant of the day into 06:00 to 20:00 UTC, keeping the order inside the day."""
        day, inside = divmod(at, DAY_MS)
        return day * DAY_MS + DAY_MS // 4 + inside * 14 // 24

    def _purchase(self, number: int, _: int) -> Event:
        lines = [self._line() for _ in range(1 + self._below(10) // 4)]
        guest = self._random() < 0.12
        event: Event = {
            "type": "PurchaseRecorded",
            "order_id": f"order-{number:06d}",
            "currency": "EUR",
            "channel": "app" if self._random() < 0.3 else "store",
            "store_id": self._store(),
            "tender": "card" if self._random() < 0.7 else "cash",
            "lines": lines,
        }
        if self._random() < 0.05:
            event["attributes"] = {"cup": "own"}
        if not guest:
            event["member_id"] = self._regular()
            if self._random() < 0.004:
                event["referrer_id"] = self._regular()
        return event

    def _line(self) -> Event:
        sku, category, brand, price, _ = MENU[self._weighted()]
        count = 1 if self._random() < 0.85 else 2
        discount = price * count // 10 if self._random() < 0.08 else 0
        line: Event = {
            "sku": sku,
            "category": category,
            "brand": brand,
            "quantity_milli": count * 1000,
            "amount_minor": price * count - discount,
        }
        if discount:
            line["discount_minor"] = discount
        return line

    def _check_in(self, _: int, __: int) -> Event:
        # Most check-ins are of a fiftieth of the members, so that their streaks grow long.
        keen = self._random() < 0.7
        member = self._members[self._below(max(1, len(self._members) // 50))] if keen else self._regular()
        return {"type": "CheckedIn", "member_id": member, "store_id": self._store(), "channel": "app"}

    def _share(self, number: int, _: int) -> Event:
        network = ("instagram", "mastodon", "whatsapp")[self._below(3)]
        return {
            "type": "ContentShared",
            "member_id": self._regular(),
            "network": network,
            "content_id": f"post-{number % 400}",
            "channel": "app",
        }

    def _review(self, _: int, __: int) -> Event:
        return {
            "type": "ReviewSubmitted",
            "member_id": self._regular(),
            "sku": MENU[self._weighted()][0],
            "rating": 1 + self._below(5),
            "text_length": self._below(400),
            "media_count": 1 if self._random() < 0.2 else 0,
            "channel": "web",
        }

    def _referral(self, _: int, __: int) -> Event:
        referrer = self._regular()
        referee = self._members[self._below(len(self._members))]
        if referee == referrer:
            referee = self._members[(self._members.index(referrer) + 1) % len(self._members)]
        return {"type": "ReferralMade", "referrer_id": referrer, "referee_id": referee, "channel": "app"}

    def _regular(self) -> str:
        """Pick a member; the first ones come far more often than the last."""
        return self._members[int(self._random() ** 1.4 * len(self._members))]

    def _store(self) -> str:
        return STORES[int(self._random() ** 1.5 * len(STORES))]

    def _weighted(self) -> int:
        dice = self._random() * self._menu_total
        for index, weight in enumerate(self._weights):
            dice -= weight
            if dice < 0:
                return index
        return 0

    def _below(self, bound: int) -> int:
        return int(self._random() * bound)


def broken_events() -> list[bytes]:
    """Make broken events as they occur in practice: each is refused, kept, and can be mended."""
    purchase: Event = {"type": "PurchaseRecorded", "source": "pos", "order_id": "o", "member_id": "m00001"}
    referral: Event = {"type": "ReferralMade", "source": "app", "referrer_id": "m00003", "referee_id": "m00003"}
    events: list[Event] = [
        {**purchase, "occurred_at": "2025-03-01T09:00:00Z", "currency": "EURO", "lines": []},
        {
            **purchase,
            "occurred_at": "2025-03-02T09:00:00Z",
            "currency": "EUR",
            "lines": [{"sku": "espresso", "amount_minor": 2.4}],
        },
        {"type": "CheckedIn", "source": "app", "occurred_at": "yesterday", "member_id": "m00002"},
        {**referral, "occurred_at": "2025-03-04T09:00:00Z"},
        {"type": "ReviewSubmitted", "source": "shop", "occurred_at": "2025-03-05T09:00:00Z"},
    ]
    lines = [msgspec.json.encode({**event, "event_id": f"bad-{n}"}) for n, event in enumerate(events, start=1)]
    lines[-1] = lines[-1][:-10]  # a line that was cut short
    return lines


def write_demo_year(folder: Path, year: DemoYear, on_event: Callable[[], None]) -> list[Path]:
    """Write one JSON lines file per publishing system into `folder`; gives the files.

    `on_event` is called after each event. A few broken events are among the shop's.
    """
    encode = msgspec.json.Encoder().encode
    buffers: dict[str, list[bytes]] = {"pos": [], "app": [], "shop": broken_events()}
    for system, event in year.events():
        buffers[system].append(encode(event))
        on_event()
    files: list[Path] = []
    for system, lines in buffers.items():
        file = folder / f"{system}-2025.jsonl"
        file.write_bytes(b"\n".join(lines) + b"\n")
        files.append(file)
    return files
