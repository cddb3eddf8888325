"""Writes small books by hand for tests of the projections: you say who earned what, it keeps the account."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import Any, Final
from zoneinfo import ZoneInfo

from processors.zones import zone_data
from schemas.entry_ids import award_entry_id, claim_key, expiry_entry_id, referee_purchased_event_id, tick_event_id
from schemas.facts import (
    CheckedIn,
    ClockTicked,
    ContentShared,
    JournalFact,
    JournalOpened,
    MemberFact,
    PurchaseLine,
    PurchaseRecorded,
    RefereePurchased,
    ReferralMade,
    ReviewSubmitted,
    RulesetPublished,
)
from schemas.pages import JournalLine, JournalPage, Reject
from schemas.partitions import partition_of
from schemas.posting import DayHeld, Entry, Factor, PeriodTotals, Posting, Working
from tests.fakes.list_books import ListBooks

PAGE_LINES: Final = 100
BLOCK_POSTINGS: Final = 50
EPOCH: Final = date(1970, 1, 1)


def ms(text: str) -> int:
    """An instant given as ISO text in UTC, as milliseconds since 1970."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@dataclass
class _Account:
    seq: int = 0
    balance: int = 0
    lots: dict[int, tuple[int, int]] = field(default_factory=dict)
    opened: int = 0
    purchases: int = 0
    latest_at: int = 0
    totals: dict[tuple[str, str, date], int] = field(default_factory=dict)


class Bookkeeper:
    """Takes facts with what they earned, in journal order, and gives the books that a right scoring would leave."""

    def __init__(self, partitions: int = 2, zone: str = "Europe/Berlin") -> None:
        self._zone = ZoneInfo.from_file(BytesIO(zone_data(zone)))
        self._lines: list[list[JournalLine]] = [[] for _ in range(partitions)]
        self._postings: list[list[Posting]] = [[] for _ in range(partitions)]
        self._accounts: dict[str, _Account] = {}
        self._rejects: list[Reject] = []
        self._count = 0
        self._everywhere(lambda n: JournalOpened("test", 1, partitions, n, 90 * 86_400_000, 30 * 86_400_000))
        self._everywhere(lambda _: RulesetPublished("1", "ab" * 32, 0, 1, "programme: test\n", zone, zone_data(zone)))

    def fact(
        self, fact: MemberFact, member: str | None, *, earned: Mapping[str, int] | None = None, **more: Any
    ) -> None:
        """Journal any fact for one member (None: a guest, who has no posting) and post what it earned, by rule.

        `more` may give `expires` (ISO text), `reason`, `workings`, `run_length`, `claim_opened`, `claim_paid`, `late`.
        """
        guest_key = fact.order_id if isinstance(fact, PurchaseRecorded) else fact.event_id
        partition = partition_of(member or guest_key, len(self._lines))
        page, line = self._journal(partition, fact, member)
        if member is not None:
            posting = self._posting(member, fact, dict(earned or {}), more)
            self._post(partition, posting, page, line, 0)

    def purchase(self, member: str | None, at: str, *, lines: Sequence[PurchaseLine] = (), **more: Any) -> str:
        """A purchase; `amount` (minor units) makes one line of it. Its event id."""
        event_id = more.pop("event_id", None) or self._next_id("buy")
        amount, store, referrer = more.pop("amount", 1000), more.pop("store", "s1"), more.pop("referrer", None)
        bought = tuple(lines) or (PurchaseLine("tea", amount, category="drinks"),)
        fact = PurchaseRecorded(
            "pos", event_id, ms(at), f"order-{event_id}", "EUR", bought, member, "shop", store, "card", referrer
        )
        self.fact(fact, member, **more)
        return event_id

    def check_in(self, member: str, at: str, run_length: int = 0, **more: Any) -> None:
        """A check-in; `run_length` 0 is a day that was held already."""
        fact = CheckedIn("app", self._next_id("in"), ms(at), member, more.pop("store", "s1"))
        self.fact(fact, member, run_length=run_length, **more)

    def share(self, member: str, at: str, **more: Any) -> None:
        """Content shared."""
        self.fact(ContentShared("app", self._next_id("share"), ms(at), member, "fediverse"), member, **more)

    def review(self, member: str, at: str, sku: str, rating: int | None = None, **more: Any) -> None:
        """A review."""
        media = more.pop("media", 0)
        fact = ReviewSubmitted("shop", self._next_id("review"), ms(at), member, sku, rating, 100, media)
        self.fact(fact, member, **more)

    def referral(self, referrer: str, referee: str, at: str) -> None:
        """A referral, journalled for both; it opens the referee's first claim."""
        fact = ReferralMade("app", self._next_id("refer"), ms(at), referrer, referee)
        self.fact(fact, referee, reason="awaiting_purchase", claim_opened=1)
        self.fact(fact, referrer, reason="awaiting_purchase")

    def referee_purchased(self, referrer: str, referee: str, at: str, *, bought: str, **paid: int) -> None:
        """What a referee's purchase (its event id) is worth to both, `to_referrer` and `to_referee`, as claim 1."""
        for member, points in ((referrer, paid["to_referrer"]), (referee, paid["to_referee"])):
            event_id = referee_purchased_event_id(referee, 1, 1)
            fact = RefereePurchased(
                "tallybook",
                event_id,
                ms(at),
                member_id=member,
                referrer_id=referrer,
                referee_id=referee,
                claim_rank=1,
                purchase_rank=1,
                amount_minor=1000,
                currency="EUR",
                claimed_at=ms(at),
                purchase_source="pos",
                purchase_event_id=bought,
            )
            self.fact(fact, member, earned={"friends": points}, claim_paid=claim_key(referee, 1))

    def tick(self, at: str) -> None:
        """A tick in every partition, with the expiries due by then."""
        tick = ClockTicked(ms(at))
        places = self._everywhere(lambda _: tick)
        due = sorted((m for m, a in self._accounts.items() if self._due(a, tick.at)), key=lambda m: m.encode())
        sub = [0] * len(places)
        for member in due:
            partition = partition_of(member, len(places))
            entries = self._expire(member, tick.at)
            posting = self._stamp(
                member, "ClockTicked", key=("tallybook", tick_event_id(tick.at)), at=tick.at, entries=entries
            )
            self._post(partition, posting, *places[partition], sub[partition])
            sub[partition] += 1

    def reject(self, reason: str, raw: bytes, **more: Any) -> None:
        """A record refused at the door."""
        number = len(self._rejects) + 1
        self._rejects.append(Reject(reason, f"refused: {reason}", raw, number, received_at=1, **more))

    def books(self) -> ListBooks:
        """The books so far, as a reader finds them."""
        books = ListBooks(len(self._lines))
        for partition, lines in enumerate(self._lines):
            for page, start in enumerate(range(0, len(lines), PAGE_LINES)):
                chunk = tuple(lines[start : start + PAGE_LINES])
                books.pages[partition].append(JournalPage(page, chunk, ("", "input.jsonl")))
        for partition, postings in enumerate(self._postings):
            for start in range(0, len(postings), BLOCK_POSTINGS):
                books.blocks["0001"][partition].append(postings[start : start + BLOCK_POSTINGS])
        books.rejected = [[reject] for reject in self._rejects]
        return books

    def _next_id(self, kind: str) -> str:
        self._count += 1
        return f"{kind}-{self._count}"

    def _everywhere(self, make: Any) -> list[tuple[int, int]]:
        return [self._journal(partition, make(partition), None) for partition in range(len(self._lines))]

    def _journal(self, partition: int, fact: JournalFact, member: str | None) -> tuple[int, int]:
        lines = self._lines[partition]
        lines.append(JournalLine(fact, 1_000, member, 1, len(lines) + 1))
        return divmod(len(lines) - 1, PAGE_LINES)

    def _post(self, partition: int, posting: Posting, page: int, line: int, sub: int) -> None:
        postings = self._postings[partition]
        posting.number, posting.page, posting.line, posting.sub = len(postings) + 1, page, line, sub
        postings.append(posting)

    def _due(self, account: _Account, until: int) -> list[tuple[int, int, int]]:
        return sorted((end, lot, points) for lot, (points, end) in account.lots.items() if end <= until)

    def _expire(self, member: str, until: int) -> list[Entry]:
        account = self._accounts[member]
        entries = []
        for end, lot, points in self._due(account, until):
            entries.append(Entry(expiry_entry_id(member, lot, end), "PointsExpired", -points, end, lot))
            del account.lots[lot]
        return entries

    def _stamp(self, member: str, kind: str, *, key: tuple[str, str], at: int, entries: list[Entry]) -> Posting:
        account = self._accounts[member]
        account.seq += 1
        account.balance += sum(entry.points for entry in entries)
        return Posting(member, account.seq, kind, *key, at, account.balance, entries=tuple(entries))

    def _posting(self, member: str, fact: MemberFact, earned: dict[str, int], more: dict[str, Any]) -> Posting:
        account = self._accounts.setdefault(member, _Account())
        at = fact.occurred_at
        expires = ms(more["expires"]) if "expires" in more else None
        entries = self._expire(member, at)
        for n, (rule, points) in enumerate(earned.items(), start=1):
            account.opened += 1
            entry_id = award_entry_id(fact.source, fact.event_id, member, n)
            lot = account.opened
            entries.append(Entry(entry_id, "PointsAwarded", points, at, lot, rule, available_at=at, expires_at=expires))
            account.lots[lot] = (points, ms("2999-01-01") if expires is None else expires)
        posting = self._stamp(member, type(fact).__name__, key=(fact.source, fact.event_id), at=at, entries=entries)
        posting.reason = more.get("reason") or (None if earned else "no_rule_matched")
        posting.late = more.get("late", False)
        posting.claim_opened, posting.claim_paid = more.get("claim_opened", 0), more.get("claim_paid")
        posting.store_id, posting.order_id = getattr(fact, "store_id", ""), getattr(fact, "order_id", "")
        if posting.reason not in ("duplicate", "conflict", "too_old"):
            day = datetime.fromtimestamp(at / 1000, self._zone).date()
            self._score(posting, account, day, earned, more)
        account.latest_at = max([account.latest_at, at, *(entry.effective_at for entry in entries)])
        return posting

    def _score(
        self, posting: Posting, account: _Account, day: date, earned: dict[str, int], more: dict[str, Any]
    ) -> None:
        if posting.fact_type == "PurchaseRecorded":
            account.purchases += 1
            posting.purchase_rank = account.purchases
        posting.local_day = (day - EPOCH).days
        posting.ruleset_version, posting.ruleset_hash, posting.semantics = "1", "ab" * 32, 1
        posting.workings = more.get("workings") or tuple(
            Working(rule, points, "event", "1", str(points), points, points) for rule, points in earned.items()
        )
        if more.get("run_length"):
            posting.day_held = DayHeld(posting.local_day, more["run_length"], posting.local_day, 1)
        if earned:
            scopes = ["", posting.store_id] if posting.store_id else [""]
            points, reached_at = sum(earned.values()), max(account.latest_at, posting.occurred_at)
            posting.totals = tuple(self._totals(account, scope, day, points, reached_at) for scope in scopes)

    def _totals(self, account: _Account, scope: str, day: date, points: int, reached_at: int) -> PeriodTotals:
        starts = {
            "day": day,
            "week": day - timedelta(day.weekday()),
            "month": day.replace(day=1),
            "year": day.replace(month=1, day=1),
            "ever": EPOCH,
        }
        for period, start in starts.items():
            key = (scope, period, start)
            account.totals[key] = account.totals.get(key, 0) + points
        of_day, of_week, of_month, of_year, ever = (account.totals[scope, p, start] for p, start in starts.items())
        return PeriodTotals(scope, (day - EPOCH).days, of_day, of_week, of_month, of_year, ever, reached_at)


# Midnight at the end of 30 June in Berlin.
END_OF_JUNE = "2026-06-30T22:00"
LAST_TICK = "2026-12-01T00:00"


def small_programme() -> Bookkeeper:
    """Ann earns and loses points, Bob meets limits and a campaign, Cat is referred, Dan comes late in the year."""
    book = Bookkeeper(partitions=3)
    tea = PurchaseLine("tea", 2000, category="drinks")
    cake = PurchaseLine("cake", 1000, category="food")
    first = book.purchase("ann", "2026-01-05T10:00", lines=[tea, cake], earned={"base": 30}, expires=END_OF_JUNE)
    doubled = Working("base", 2000, "minor", "1/100", "40", 40, 40, factors=(Factor("double", "2", 2000),))
    book.purchase("bob", "2026-01-06T10:00", amount=2000, store="s2", earned={"base": 40}, workings=(doubled,))
    book.purchase(None, "2026-01-07T10:00", amount=1000, event_id="guest-1")
    book.purchase(None, "2026-01-07T10:00", amount=1000, event_id="guest-1")
    for day, run in (("08", 1), ("09", 2), ("10", 3)):
        book.check_in("ann", f"2026-01-{day}T08:00", run, earned={"streak": 5})
    book.check_in("bob", "2026-01-10T08:00", 1, earned={"streak": 5})
    limited = Working("share", 1, "event", "10", "10", 10, 0, limit_ids=("one-share-a-day",))
    book.share("bob", "2026-01-10T09:00", reason="limit_reached", workings=(limited,))
    book.review("ann", "2026-01-11T09:00", "tea", 8, earned={"review": 50}, expires=END_OF_JUNE)
    book.review("bob", "2026-01-12T09:00", "tea", media=2)
    book.referral("ann", "cat", "2026-02-01T12:00")
    bought = book.purchase("cat", "2026-02-02T12:00", amount=1500, earned={"base": 15})
    book.referee_purchased("ann", "cat", "2026-02-02T12:00", bought=bought, to_referrer=500, to_referee=250)
    book.purchase("ann", "2026-01-05T10:00", lines=[tea, cake], event_id=first, reason="duplicate")
    book.purchase("bob", "2026-01-20T10:00", amount=1000, store="s2", earned={"base": 10}, late=True)
    book.purchase("ann", "2026-03-01T10:00", amount=1000, earned={"base": 10})
    book.tick("2026-07-02T00:00")
    # 1 July in Berlin, still June in UTC.
    book.purchase("dan", "2026-06-30T22:30", amount=500, earned={"base": 5}, expires="2027-06-30T22:00")
    book.tick(LAST_TICK)
    book.reject("malformed", b"\xff{", input_name="events.jsonl", record=7, at_line=7)
    book.reject("missing_field", '{"größe": 1}'.encode(), input_name="events.jsonl", field="source", headers={"k": "v"})
    return book
