"""Random facts of a handful of members: on time, late, too old, twice, in conflict, and exactly at midnight."""

from random import Random
from typing import Final

import msgspec

from schemas.facts import (
    CheckedIn,
    ContentShared,
    JournalOpened,
    PublishedFact,
    PurchaseLine,
    PurchaseRecorded,
    ReferralMade,
    ReviewSubmitted,
    members_of,
)
from schemas.pages import JournalLine
from tests.reference.local_time import DAY_MS, HOUR_MS, clock_changes, date_of, zone_from
from tests.support.random_rulesets import ATTRIBUTES, SKUS, STORES, TEXTS

# In the order of their bytes these are not in the order of their letters.
MEMBERS = ("ann", "Bob", "çelik", "dee")
KINDS = ("purchase", "check_in", "share", "review", "referral")
# How often each kind of fact comes, by theme.
WEIGHTS: Final[dict[str, tuple[int, int, int, int, int]]] = {
    "general": (5, 4, 2, 3, 1),
    "streak": (1, 12, 1, 0, 0),
    "referral": (6, 1, 0, 0, 4),
    "flood": (4, 0, 0, 0, 1),
    "reviews": (1, 1, 5, 8, 0),
    "huge": (8, 1, 0, 0, 1),
    "expiry": (5, 4, 1, 1, 0),
}
AMOUNTS = (0, 49, 99, 100, 150, 250, 999, 1000, 2000, 12_345)
HUGE_QUANTITIES = (10**12, 10**12, 3 * 10**11, 1)
HUGE_LINES = 30
QUANTITIES = (0, 250, 1000, 1000, 1000, 2000, 3500)
CHANGES_DAYS = 40
STEPS_MS = (0, 1, 60_000, HOUR_MS, 5 * HOUR_MS, DAY_MS, DAY_MS, 2 * DAY_MS, 5 * DAY_MS, 33 * DAY_MS)
STEP_WEIGHTS: Final[dict[str, tuple[int, ...]]] = {
    "general": (2, 1, 3, 5, 6, 6, 4, 3, 2, 1),
    "streak": (1, 0, 1, 3, 3, 12, 6, 3, 1, 0),
    "flood": (6, 2, 4, 3, 1, 0, 0, 0, 0, 0),
}


class FactMaker:
    """Draws facts around a moving instant `now` (UTC ms) of a zone; remembers what it drew, to say it again."""

    def __init__(self, rng: Random, tzif: bytes, start: int, theme: str, opened: JournalOpened) -> None:
        self.rng = rng
        self.zone = zone_from(tzif)
        self.changes = clock_changes(tzif, start, start + CHANGES_DAYS * DAY_MS)
        self.now = start
        self.theme = theme
        self.opened = opened
        self.last_tick = start
        self.told: list[JournalLine] = []
        self._counter = 0

    def step(self) -> None:
        """Let some time pass; now and then it stops exactly at a local midnight or a clock change, or beside it."""
        rng = self.rng
        weights = STEP_WEIGHTS.get(self.theme, STEP_WEIGHTS["general"])
        (size,) = rng.choices(STEPS_MS, weights)
        if size > HOUR_MS:
            size = rng.randrange(size // 2, size * 3 // 2)
        self.now += size
        choice = rng.random()
        if choice < 0.14:
            midnight = self.zone.midnight(date_of(self.zone.day(self.now) + 1))
            self.now = max(self.now, midnight + rng.choice((-1, 0, 0, 1)))
        elif choice < 0.19 and self.changes:
            self.now = max(
                self.now, rng.choice(self.changes) + rng.choice((-1, 0, HOUR_MS // 6, HOUR_MS // 6, 2 * HOUR_MS // 3))
            )

    def lines(self) -> list[JournalLine]:
        """The next fact, once for each of its accounts; or one told before, unchanged or changed."""
        rng = self.rng
        choice = rng.random()
        if self.told and choice < 0.07:
            return [rng.choice(self.told)]
        if self.told and choice < 0.12:
            return [self.changed(rng.choice(self.told))]
        fact = self.fact()
        lines = [JournalLine(fact, 0, member_id) for member_id in members_of(fact)]
        self.told += lines
        return lines

    def instant(self) -> int:
        """Mostly now; sometimes a while ago, rarely beyond the horizon."""
        rng = self.rng
        choice = rng.random()
        if choice < 0.78:
            return self.now
        if choice < 0.90:
            return self.now - rng.choice((1, HOUR_MS, DAY_MS, 2 * DAY_MS, 3 * DAY_MS, 10 * DAY_MS))
        if choice < 0.93:
            return self.last_tick - self.opened.horizon_ms + rng.choice((-1, 0, 0, 1))
        if choice < 0.97 and self.told:
            return self.beside(rng.choice(self.told))
        return self.now - rng.randrange(2 * self.opened.horizon_ms)

    def beside(self, line: JournalLine) -> int:
        """The instant of another fact, a referral window from it, or a millisecond beside that; never in the future."""
        assert isinstance(line.fact, PublishedFact)
        window = self.opened.referral_window_ms
        at = line.fact.occurred_at + self.rng.choice((0, window, window, -window)) + self.rng.choice((-1, 0, 0, 1))
        return min(at, self.now)

    def changed(self, line: JournalLine) -> JournalLine:
        """The same key with another content."""
        fact = line.fact
        assert isinstance(fact, PublishedFact)
        if isinstance(fact, PurchaseRecorded) and self.rng.random() < 0.5:
            return msgspec.structs.replace(line, fact=msgspec.structs.replace(fact, tender="voucher"))
        later = msgspec.structs.replace(fact, occurred_at=fact.occurred_at + self.rng.choice((1, HOUR_MS, DAY_MS)))
        return msgspec.structs.replace(line, fact=later)

    def event_id(self) -> str:
        """A new event id; rarely one that another member or another kind of fact may have used."""
        self._counter += 1
        return f"e{self.rng.randrange(1, 6) if self.rng.random() < 0.03 else self._counter}"

    def attributes(self) -> dict[str, str]:
        if self.rng.random() < 0.7:
            return {}
        return {name: self.rng.choice(values[1:]) for name, values in ATTRIBUTES.items() if self.rng.random() < 0.6}

    def fact(self) -> PublishedFact:
        """A new fact of a kind that the theme favours."""
        (kind,) = self.rng.choices(KINDS, WEIGHTS[self.theme])
        if kind == "purchase":
            return self.purchase()
        if kind == "referral":
            return self.referral()
        if kind == "check_in":
            return self.check_in()
        return self.share() if kind == "share" else self.review()

    def member(self) -> str:
        return self.rng.choice(MEMBERS[:2] if self.theme == "streak" else MEMBERS)

    def pick(self, name: str) -> str:
        return self.rng.choice(TEXTS[name])

    def purchase(self) -> PurchaseRecorded:
        rng = self.rng
        event_id = self.event_id()
        referrers = MEMBERS if self.theme in ("referral", "flood") else (None, None, None, None, None, *MEMBERS)
        return PurchaseRecorded(
            source="pos",
            event_id=event_id,
            occurred_at=self.instant(),
            order_id=f"o-{rng.randrange(4)}" if rng.random() < 0.3 else f"o-{event_id}",
            currency="USD" if rng.random() < 0.05 else "EUR",
            lines=self.purchase_lines(),
            member_id=None if rng.random() < 0.05 else self.member(),
            channel=self.pick("channel"),
            store_id=rng.choice(STORES),
            tender=self.pick("tender"),
            referrer_id=rng.choice(referrers) if rng.random() < 0.5 else None,
            attributes=self.attributes(),
        )

    def purchase_lines(self) -> tuple[PurchaseLine, ...]:
        rng = self.rng
        if self.theme == "huge" and rng.random() < 0.6:
            return (PurchaseLine("A", 10**13, rng.choice(HUGE_QUANTITIES)),) * HUGE_LINES
        lines = self.bought()
        return lines + self.taken_off(lines) if lines and rng.random() < 0.3 else lines

    def bought(self) -> tuple[PurchaseLine, ...]:
        """Up to three lines that are not below 0."""
        rng = self.rng
        return tuple(
            PurchaseLine(
                sku=rng.choice(SKUS),
                amount_minor=rng.choice(AMOUNTS),
                quantity_milli=rng.choice(QUANTITIES),
                category=self.pick("category"),
                brand=self.pick("brand"),
            )
            for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3)))
        )

    def taken_off(self, bought: tuple[PurchaseLine, ...]) -> tuple[PurchaseLine, ...]:
        """Discounts, vouchers and deposits paid back, of which some look like what was bought; together not more."""
        rng = self.rng
        left, lines = sum(line.amount_minor for line in bought), []
        for _ in range(rng.choice((1, 1, 2))):
            amount = min(left, rng.choice((1, 50, 99, 700, left // 2, left)))
            left -= amount
            quantity = rng.choice((1000, 0, -1000, -250))
            like = rng.choice((PurchaseLine("discount", 0), rng.choice(bought)))
            lines.append(msgspec.structs.replace(like, amount_minor=-amount, quantity_milli=quantity))
        return tuple(lines)

    def check_in(self) -> CheckedIn:
        return CheckedIn(
            source="app",
            event_id=self.event_id(),
            occurred_at=self.instant(),
            member_id=self.member(),
            store_id=self.rng.choice(STORES),
            channel=self.pick("channel"),
            attributes=self.attributes(),
        )

    def share(self) -> ContentShared:
        return ContentShared(
            source="app",
            event_id=self.event_id(),
            occurred_at=self.instant(),
            member_id=self.member(),
            network=self.pick("network"),
            content_id=self.pick("content_id"),
            sku=self.rng.choice((*SKUS, "")),
            store_id=self.rng.choice(STORES),
            channel=self.pick("channel"),
            attributes=self.attributes(),
        )

    def review(self) -> ReviewSubmitted:
        rng = self.rng
        return ReviewSubmitted(
            source="app",
            event_id=self.event_id(),
            occurred_at=self.instant(),
            member_id=self.member(),
            sku=rng.choice(SKUS),
            rating=rng.choice((None, 1, 3, 4, 5)),
            text_length=rng.choice((0, 79, 80, 81, 500)),
            media_count=rng.choice((0, 0, 1, 2)),
            order_id=rng.choice(("", "o-e1")),
            store_id=rng.choice(STORES),
            channel=self.pick("channel"),
            attributes=self.attributes(),
        )

    def referral(self, referrer_id: str | None = None, referee_id: str | None = None) -> ReferralMade:
        """Two different members, or those given."""
        referrer, referee = self.rng.sample(MEMBERS, 2)
        return ReferralMade(
            source="crm",
            event_id=self.event_id(),
            occurred_at=self.instant(),
            referrer_id=referrer_id or referrer,
            referee_id=referee_id or referee,
            channel=self.pick("channel"),
            attributes=self.attributes(),
        )
