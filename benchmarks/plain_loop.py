"""A peer: what a sensible engineer writes without us, a loop over one dict per event with the rules read from YAML.

It gives the same points as Tallybook for input in order of time (a test checks that) and keeps what these points
need: members with lots, balances, limit windows, streaks, period totals, claims, and the events seen. Nothing is slowed
down: rules are grouped by kind of event and their numbers and dates converted when the file is read, amounts are
Decimals (28 digits, enough for these rules), the names of periods and the dates of expiry are kept per day.

Left out, though Tallybook does it: events out of order (late days of a streak, claims after the purchase), a horizon
(nothing is ever forgotten), guests' partitions, reasons for no points, the arithmetic behind an award, account sequence
numbers and entry ids, digests, derived facts (both sides of a referral are paid at once), rule changes in mid-stream,
and expiry by the clock: lots expire when their member comes again, and once at the end.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import yaml

Event = dict[str, Any]
Rule = dict[Any, Any]
Output = dict[str, Any]

KINDS: Final = {
    "purchase": "PurchaseRecorded",
    "check_in": "CheckedIn",
    "share": "ContentShared",
    "review": "ReviewSubmitted",
}
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PERIODS: Final = ("day", "week", "month", "year", "lifetime")
MAX_CLAIMS: Final = 32
MAX_PERIODS_KEPT: Final = 4_096
FAR_FUTURE: Final = 2**62
_ONE: Final = Decimal(1)


@dataclass(slots=True)
class Lot:
    """Points of one award."""

    points: int
    expires_at: int | None


@dataclass(slots=True)
class Member:
    """All that is kept of one member; nothing expires before `next_expiry_at`."""

    member_id: str
    lots: list[Lot] = field(default_factory=list)
    balance: int = 0
    earned: int = 0
    used: dict[tuple[str, ...], int] = field(default_factory=lambda: defaultdict(int))
    totals: dict[tuple[str, ...], int] = field(default_factory=lambda: defaultdict(int))
    seen: dict[tuple[str, str], Event] = field(default_factory=dict)
    last_day: date | None = None
    run_length: int = 0
    claims: list[tuple[str, int]] = field(default_factory=list)
    paid_claims: set[int] = field(default_factory=set)
    next_expiry_at: int = FAR_FUTURE


class PlainLoop:
    """The loop's state; `take` handles one event, whose instants are UTC ms."""

    def __init__(self, text: str, referral_window_ms: int) -> None:
        document = yaml.safe_load(text)
        self.zone = ZoneInfo(document["timezone"])
        self.currency = document["currency"]
        self.stacking = document["stacking"]
        self.expiry = document["expiry"]
        self.excluded = document.get("exclude_lines")
        self.limits = {limit["id"]: limit for limit in document["limits"]}
        self.referral_window_ms = referral_window_ms
        if document["rounding"] != "floor":
            raise NotImplementedError("this loop rounds down, as the coffee chain does")
        self.rules: dict[str, list[Rule]] = defaultdict(list)
        self.multipliers: dict[str, list[Rule]] = defaultdict(list)
        self._group([self._prepared(rule) for rule in document["rules"]])
        self.members: dict[str, Member] = {}
        self._expiries: dict[tuple[str, date], int | None] = {}
        self._outputs: list[Output] = []

    def take(self, event: Event) -> list[Output]:
        """The awards and expiries of one event."""
        self._outputs = []
        kind = event["type"]
        member_id = event["referee_id"] if kind == "ReferralMade" else event["member_id"]
        if member_id is None:
            return []
        member = self._member(member_id)
        key = (event["source"], event["event_id"])
        if key in member.seen:
            return []  # a duplicate, or another event under the same key: neither counts
        member.seen[key] = event
        at = event["occurred_at"]
        self._expire(member, at)
        if kind == "ReferralMade":
            self._claim(member, event["referrer_id"], at)
        elif kind == "PurchaseRecorded":
            self._purchase(member, event, datetime.fromtimestamp(at / 1000, self.zone))
        else:
            self._event(self.rules[kind], member, event, datetime.fromtimestamp(at / 1000, self.zone))
        return self._outputs

    def finish(self, at: int) -> list[Output]:
        """Expire what is due at the end."""
        self._outputs = []
        for member in self.members.values():
            self._expire(member, at)
        return self._outputs

    def _member(self, member_id: str) -> Member:
        member = self.members.get(member_id)
        if member is None:
            member = self.members[member_id] = Member(member_id)
        return member

    # ------------------------------------------------------------------------------------------------ reading the file

    def _group(self, rules: list[Rule]) -> None:
        for rule in rules:
            if rule["kind"] == "multiplier":
                named = rule.get("applies_to") or [other["id"] for other in rules if other["kind"] == "spend"]
                for rule_id in named:
                    self.multipliers[rule_id].append(rule)
            else:
                # `on` is a boolean in YAML 1.1.
                on = {"spend": "purchase", "streak": "check_in"}.get(rule["kind"]) or rule.get(True, "referral")
                self.rules[KINDS.get(on, on)].append(rule)

    def _prepared(self, rule: Rule) -> Rule:
        for name in ("points", "per_minor", "factor", "daily", "referrer_points", "referee_points"):
            if name in rule:
                rule[name] = Decimal(str(rule[name]))
        if "steps" in rule:
            rule["bonuses"] = {step["day"]: Decimal(str(step["bonus"])) for step in rule["steps"]}
        active = rule.get("active", {})
        for name in ("from", "until"):
            if name in active:
                wall = datetime.fromisoformat(str(active[name]))
                active[name] = int(wall.replace(tzinfo=self.zone).timestamp() * 1000)
        if "weekdays" in active:
            active["weekdays"] = {WEEKDAYS.index(name) for name in active["weekdays"]}
        return rule

    # ------------------------------------------------------------------------------------------------ conditions

    def _applies(self, rule: Rule, event: Event, local: datetime) -> bool:
        active = rule.get("active")
        if active is not None and not _is_active(active, event["occurred_at"], local):
            return False
        when = rule.get("when")
        return when is None or _holds(when, event)

    def _taking_part(self, rule: Rule, event: Event, local: datetime) -> list[Rule]:
        return [other for other in self.multipliers.get(rule["id"], ()) if self._applies(other, event, local)]

    def _factor(self, multipliers: list[Rule], line: Event | None) -> Decimal:
        factors: list[Decimal] = [rule["factor"] for rule in multipliers if line is None or _is_chosen(rule, line)]
        if not factors:
            return _ONE
        if self.stacking == "best":
            return max(factors)
        if self.stacking == "add":
            return max(Decimal(0), _ONE + sum((factor - 1 for factor in factors), Decimal(0)))
        product = _ONE
        for factor in factors:
            product *= factor
        return product

    # ------------------------------------------------------------------------------------------------ earning

    def _event(self, rules: list[Rule], member: Member, event: Event, local: datetime) -> None:
        for rule in rules:
            if not self._applies(rule, event, local):
                continue
            points = self._streak(rule, member, local.date()) if rule["kind"] == "streak" else rule["points"]
            if points is not None:
                factor = self._factor(self._taking_part(rule, event, local), None)
                self._award(rule, points * factor, member, event, local.date())

    def _purchase(self, member: Member, event: Event, local: datetime) -> None:
        if event["currency"] == self.currency:
            excluded = self.excluded
            counted = [line for line in event["lines"] if excluded is None or not _holds(excluded, line)]
            for rule in self.rules["PurchaseRecorded"]:
                if self._applies(rule, event, local):
                    lines = [line for line in counted if _is_chosen(rule, line)]
                    if lines:
                        taking = self._taking_part(rule, event, local)
                        self._award(rule, self._worth(rule, lines, taking), member, event, local.date())
        referrer_id = event["referrer_id"]
        if referrer_id is not None and referrer_id != member.member_id:
            self._claim(member, referrer_id, event["occurred_at"])
        if member.claims:
            self._settle(member, event, local.date())

    def _worth(self, rule: Rule, lines: list[Event], taking: list[Rule]) -> Decimal:
        points: Decimal = rule["points"]
        if rule["kind"] == "spend":
            amount = sum((line["amount_minor"] * self._factor(taking, line) for line in lines), Decimal(0))
            per_minor: Decimal = rule["per_minor"]
            return amount * points / per_minor
        per = rule.get("per", "event")
        if per == "unit":
            quantity = sum((line["quantity_milli"] * self._factor(taking, line) for line in lines), Decimal(0))
            return quantity * points / 1000
        if per == "line":
            return points * sum((self._factor(taking, line) for line in lines), Decimal(0))
        return points * self._factor(taking, None)

    def _streak(self, rule: Rule, member: Member, today: date) -> Decimal | None:
        last = member.last_day
        if last == today:
            return None
        goes_on = last is not None and (today - last).days - 1 <= rule.get("grace_days", 0)
        member.run_length = member.run_length + 1 if goes_on else 1
        member.last_day = today
        bonuses: dict[int, Decimal] = rule["bonuses"]
        if rule["beyond"] != "restart":
            raise NotImplementedError("this loop's streaks start over, as the coffee chain's do")
        daily: Decimal = rule["daily"]
        return daily + bonuses.get((member.run_length - 1) % max(bonuses) + 1, 0)

    def _claim(self, member: Member, referrer_id: str, at: int) -> None:
        near = [claim for claim in member.claims if at - claim[1] < self.referral_window_ms]
        if len(near) < MAX_CLAIMS and all(claim[0] != referrer_id for claim in near):
            member.claims.append((referrer_id, at))

    def _settle(self, member: Member, event: Event, today: date) -> None:
        total = sum(line["amount_minor"] for line in event["lines"])
        for rank, (referrer_id, claimed_at) in enumerate(member.claims, 1):
            if rank in member.paid_claims or event["occurred_at"] >= claimed_at + self.referral_window_ms:
                continue
            if event["currency"] != self.currency:
                continue
            for rule in self.rules["referral"]:
                if total >= rule["min_amount_minor"] and rank in rule["claim_ranks"]:
                    member.paid_claims.add(rank)
                    bought = {**event, "store_id": ""}
                    referrer = self._member(referrer_id)
                    self._expire(referrer, event["occurred_at"])
                    self._award(rule, rule["referrer_points"], referrer, bought, today)
                    self._award(rule, rule["referee_points"], member, bought, today)

    # ------------------------------------------------------------------------------------------------ limits and lots

    def _award(self, rule: Rule, exact: Decimal, member: Member, event: Event, today: date) -> None:
        points = int(exact.to_integral_value(ROUND_FLOOR))
        windows = []
        for limit_id in rule.get("limits", ()):
            limit = self.limits[limit_id]
            window = (limit_id, period(limit["per"], today), event[limit["each"]] if "each" in limit else "")
            windows.append((limit, window))
            used = member.used.get(window, 0)
            if "times" in limit:
                points = points if used < limit["times"] else 0
            elif points > limit["points"] - used:
                points = 0 if limit.get("when_reached") == "refuse" else max(0, limit["points"] - used)
        if points <= 0:
            return
        for limit, window in windows:
            member.used[window] += 1 if "times" in limit else points
        expires_at = self._expires_at(rule, today)
        self._enter(member, event, rule["id"], points, expires_at)
        store_id = event.get("store_id", "")
        for store in ("", store_id) if store_id else ("",):
            for per in PERIODS:
                member.totals[store, period(per, today)] += points

    def _enter(self, member: Member, event: Event, rule_id: str, points: int, expires_at: int | None) -> None:
        member.lots.append(Lot(points, expires_at))
        if expires_at is not None and expires_at < member.next_expiry_at:
            member.next_expiry_at = expires_at
        member.balance += points
        member.earned += points
        self._outputs.append(
            {
                "member_id": member.member_id,
                "event_id": event["event_id"],
                "rule_id": rule_id,
                "points": points,
                "occurred_at": event["occurred_at"],
                "expires_at": expires_at,
                "balance": member.balance,
            }
        )

    def _expires_at(self, rule: Rule, today: date) -> int | None:
        known = self._expiries
        key = (rule["id"] if "expiry" in rule else "", today)
        if key not in known:
            known[key] = self._expiry_of(rule.get("expiry", self.expiry), today)
        return known[key]

    def _expiry_of(self, expiry: dict[str, Any], today: date) -> int | None:
        if expiry["kind"] == "none":
            return None
        if "days" in expiry:
            after = today + timedelta(days=expiry["days"] + 1)
        elif expiry.get("round_up_to") == "quarter":
            month = today.year * 12 + today.month - 1 + expiry["months"]
            year, month = divmod(month - month % 3 + 3, 12)
            after = date(year, month + 1, 1)
        else:
            raise NotImplementedError("this loop's points expire as the coffee chain's do")
        return int(datetime(after.year, after.month, after.day, tzinfo=self.zone).timestamp() * 1000)

    def _expire(self, member: Member, at: int) -> None:
        if at < member.next_expiry_at:
            return
        kept: list[Lot] = []
        for lot in member.lots:
            if lot.expires_at is None or lot.expires_at > at:
                kept.append(lot)
                continue
            member.balance -= lot.points
            self._outputs.append(
                {
                    "member_id": member.member_id,
                    "event_id": "",
                    "rule_id": "",
                    "points": -lot.points,
                    "occurred_at": lot.expires_at,
                    "expires_at": None,
                    "balance": member.balance,
                }
            )
        member.lots = kept
        member.next_expiry_at = min((lot.expires_at for lot in kept if lot.expires_at is not None), default=FAR_FUTURE)


def _is_active(active: dict[str, Any], at: int, local: datetime) -> bool:
    if "from" in active and at < active["from"]:
        return False
    if "until" in active and at >= active["until"]:
        return False
    if "weekdays" in active and local.weekday() not in active["weekdays"]:
        return False
    if "days_of_month" in active and local.day not in active["days_of_month"]:
        return False
    if "dates" in active and f"{local.month:02d}-{local.day:02d}" not in active["dates"]:
        return False
    hours = active.get("hours")
    return hours is None or hours["from"] <= f"{local.hour:02d}:{local.minute:02d}" < hours["until"]


def _is_chosen(rule: Rule, line: Event) -> bool:
    lines, excluded = rule.get("lines"), rule.get("exclude_lines")
    return (lines is None or _holds(lines, line)) and (excluded is None or not _holds(excluded, line))


def _holds(conditions: dict[str, Any], thing: Event) -> bool:
    for name, wanted in conditions.items():
        if name == "attributes":
            given = thing["attributes"]
            if not all(given.get(key) == value for key, value in wanted.items()):
                return False
            continue
        value = thing[name]
        if isinstance(wanted, dict):
            if "not_in" in wanted:
                if value in wanted["not_in"]:
                    return False
            elif value is None or not wanted.get("min", value) <= value <= wanted.get("max", value):
                return False
        elif value not in wanted if isinstance(wanted, list) else value != wanted:
            return False
    return True


@lru_cache(MAX_PERIODS_KEPT)
def period(per: str, today: date) -> str:
    """The name of the period around a day, such as "month 2025-11-01"."""
    if per == "lifetime":
        return per
    if per == "week":
        today -= timedelta(days=today.weekday())
    elif per == "month":
        today = today.replace(day=1)
    elif per == "year":
        today = today.replace(month=1, day=1)
    return f"{per} {today.isoformat()}"
