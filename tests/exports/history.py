"""A known history of orders, from a seed: who bought what, and when; no two orders at one instant."""

from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Final

from processors.intake.formats.cells import joined
from schemas.facts import PurchaseLine, PurchaseRecorded

MINUTE_MS: Final = 60_000
START: Final = 1_793_491_200_000  # 2026-11-01T00:00:00Z
NOW: Final = START + 60 * 24 * 60 * MINUTE_MS
SOURCE: Final = "till"
CURRENCY: Final = "EUR"
MEMBERS: Final = ("anna", "bert", "m-3", "7001", "会员八", "zoë", "o'neil")
# Letters that quoting, guards and encodings stumble over; windows-1252 has all that are no Chinese letters.
PRODUCTS: Final = (
    ("Latte", "coffee"),
    ("Mug, large", "merchandise"),
    ("10% off; today", "coffee"),
    ('Tea "Assam"', "tea"),
    ("=SUM cake", "bakery"),
    ("Käsekuchen", "bakery"),
    ("-5° freezer bag", "merchandise"),
)
ORDERS: Final = 14


@dataclass(frozen=True)
class Line:
    """One product in an order; `price_minor` is that of a piece."""

    product: str
    category: str
    pieces: int
    price_minor: int


@dataclass(frozen=True)
class Order:
    """An order of a store's till; numbers start anew in each till."""

    store: str
    till: str
    number: int
    at: int
    member: str | None
    lines: tuple[Line, ...]

    @property
    def parts(self) -> tuple[str, str, str]:
        """What together names the order."""
        return self.store, self.till, str(self.number)

    @property
    def key(self) -> str:
        """Its id, as a mapping joins it from its parts."""
        return joined("event_id", self.parts)

    def fact(self) -> PurchaseRecorded:
        """What the books must hold of it, whichever export it came in."""
        lines = tuple(
            PurchaseLine(
                line.product, line.pieces * line.price_minor, quantity_milli=line.pieces * 1000, category=line.category
            )
            for line in self.lines
        )
        return PurchaseRecorded(
            SOURCE, self.key, self.at, self.key, CURRENCY, lines, member_id=self.member, store_id=self.store
        )


@lru_cache(maxsize=8)
def history_of(number: int) -> tuple[Order, ...]:
    """The history of a number, in order of time; the same on every machine."""
    rng = Random(f"orders {number}")
    minutes = sorted(rng.sample(range(6 * 24 * 60), ORDERS))
    numbers = {(store, till): 0 for store in ("s1", "s2") for till in ("1", "2")}
    orders = []
    for minute in minutes:
        store, till = rng.choice(sorted(numbers))
        numbers[store, till] += 1
        chosen = rng.choices(PRODUCTS, k=rng.choice((1, 1, 2, 3)))
        lines = tuple(Line(*one, rng.choice((1, 1, 2, 12)), rng.choice((5, 99, 250, 123_456))) for one in chosen)
        member = None if rng.random() < 0.15 else rng.choice(MEMBERS)
        orders.append(Order(store, till, numbers[store, till], START + minute * MINUTE_MS, member, lines))
    return tuple(orders)
