"""What the reference ledger knows of one account: plain lists of everything that ever happened to it."""

from dataclasses import dataclass, field

from schemas.facts import MemberFact, PurchaseRecorded
from schemas.posting import LimitCharge, PeriodTotals
from tests.reference.local_time import date_of


@dataclass
class Lot:
    """The points of one award."""

    number: int
    remaining: int
    available_at: int
    expires_at: int | None

    def due_at(self) -> int | None:
        """When the lot expires: never before it became available."""
        return None if self.expires_at is None else max(self.expires_at, self.available_at)


@dataclass
class Claim:
    """A referrer's claim on the account's purchases."""

    rank: int
    referrer_id: str
    claimed_at: int


@dataclass
class Award:
    """Points awarded on a local day, in a store ("" for none)."""

    day: int
    store_id: str
    points: int


@dataclass
class Account:
    """One member of one partition."""

    member_id: str
    postings: int = 0
    facts: list[MemberFact] = field(default_factory=list)
    instants: list[int] = field(default_factory=list)
    lots: list[Lot] = field(default_factory=list)
    awards: list[Award] = field(default_factory=list)
    charges: list[LimitCharge] = field(default_factory=list)
    first_charged: dict[tuple[str, str], int] = field(default_factory=dict)
    purchases: list[PurchaseRecorded] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    days: list[int] = field(default_factory=list)
    run_on_oldest_day: int = 0

    def balance(self) -> int:
        """All points not yet expired."""
        return sum(lot.remaining for lot in self.lots)

    def latest(self) -> int | None:
        """The latest instant of the facts decided by rules and of the entries."""
        return max(self.instants, default=None)

    def due(self, until: int) -> list[Lot]:
        """Lots that still hold points and have expired by `until`, in order of (due instant, lot)."""
        due = [
            (lot.due_at(), lot.number, lot)
            for lot in self.lots
            if lot.remaining > 0 and lot.expires_at is not None and lot.expires_at <= until
        ]
        return [lot for _, _, lot in sorted(due, key=lambda item: item[:2])]

    def earned(self) -> int:
        """Gross points ever awarded."""
        return sum(award.points for award in self.awards)

    def begin_order_anew(self, limit_id: str, window: str) -> None:
        """Forget what an order was charged."""
        del self.first_charged[limit_id, window]
        self.charges = [c for c in self.charges if (c.limit_id, c.window) != (limit_id, window)]

    def charged(self, limit_id: str, window: str) -> int:
        """What a window of a limit was charged so far."""
        return sum(c.amount for c in self.charges if c.limit_id == limit_id and c.window == window)

    def totals(self, scope: str, day: int, reached_at: int) -> PeriodTotals:
        """Gross points in the periods around a day, in the whole programme ("") or one store."""
        today = date_of(day)
        awards = [(date_of(a.day), a.points) for a in self.awards if scope in ("", a.store_id)]
        return PeriodTotals(
            scope=scope,
            day=day,
            earned_day=sum(points for when, points in awards if when == today),
            earned_week=sum(points for when, points in awards if when.isocalendar()[:2] == today.isocalendar()[:2]),
            earned_month=sum(points for when, points in awards if (when.year, when.month) == (today.year, today.month)),
            earned_year=sum(points for when, points in awards if when.year == today.year),
            earned_ever=sum(points for _, points in awards),
            reached_at=reached_at,
        )

    def run_ending_on(self, day: int, grace_days: int) -> int:
        """The length of the run of held days that ends on a held day."""
        length = 0
        while day != min(self.days):
            length += 1
            before = max(held for held in self.days if held < day)
            if day - before - 1 > grace_days:
                return length
            day = before
        return length + self.run_on_oldest_day

    def hold_day(self, day: int, grace_days: int, forget_before: int | None) -> int:
        """Hold one more check-in day and forget old ones (`forget_before` is C of docs/rules.md); its run length."""
        if not self.days or day < min(self.days):
            self.run_on_oldest_day = 1
        self.days.append(day)
        length = self.run_ending_on(day, grace_days)
        old = [] if forget_before is None else [held for held in self.days if held < forget_before]
        if old:
            oldest_kept = max(old)
            self.run_on_oldest_day = self.run_ending_on(oldest_kept, grace_days)
            self.days = [held for held in self.days if held >= oldest_kept]
        return length
