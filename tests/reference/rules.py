"""What the rules of a plain YAML document make of one fact, written as directly from docs/rules.md as can be.

Every scalar stays the text that stands in the document until it is needed, so a decimal is exactly what was written.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor
from typing import Any

import yaml

from schemas.facts import (
    CheckedIn,
    ContentShared,
    MemberFact,
    PurchaseLine,
    PurchaseRecorded,
    ReviewSubmitted,
    RulesetPublished,
)
from tests.reference.local_time import Zone, zone_from

# A YAML mapping, sequence or scalar whose scalars are all text.
Document = Any
Basis = list[tuple[int, PurchaseLine | None]]

NUMBER_FIELDS = ("amount_minor", "quantity_milli", "rating", "text_length", "media_count")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
EVENTS: dict[str, type[MemberFact]] = {
    "purchase": PurchaseRecorded,
    "check_in": CheckedIn,
    "share": ContentShared,
    "review": ReviewSubmitted,
}


@lru_cache(maxsize=256)
def read_document(text: str) -> Document:
    """The YAML document with every scalar as text; of duplicate keys the last."""
    return yaml.load(text, Loader=yaml.CBaseLoader)  # noqa: S506 the base loader makes text, lists and maps alone


@dataclass(frozen=True)
class Programme:
    """A published ruleset: its document and its time zone."""

    document: Document
    zone: Zone

    @classmethod
    def of(cls, published: RulesetPublished) -> Programme:
        """What a publication says."""
        return cls(read_document(published.text), zone_from(published.tzif))

    def setting(self, rule: Document, name: str, otherwise: Document) -> Document:
        """A field of a rule, or else of the programme, or else the default."""
        return rule.get(name, self.document.get(name, otherwise))


def fraction(text: str) -> Fraction:
    """A decimal exactly as written."""
    return Fraction(text)


# ------------------------------------------------------------------------------------------------ conditions


def text_holds(condition: Document, value: str) -> bool:
    """One value, a list of values, or `{not_in: [...]}`."""
    if isinstance(condition, dict):
        return value not in condition["not_in"]
    if isinstance(condition, list):
        return value in condition
    return bool(value == condition)


def number_holds(condition: Document, value: int | None) -> bool:
    """One value, or `{min: …, max: …}`, both inclusive; what was not given never matches."""
    if value is None:
        return False
    if isinstance(condition, dict):
        at_least = "min" not in condition or value >= int(condition["min"])
        return at_least and ("max" not in condition or value <= int(condition["max"]))
    return value == int(condition)


def when_holds(programme: Programme, rule: Document, fact: MemberFact) -> bool:
    """True if all fields named in `when` hold; amount and quantity of a purchase are sums over the lines that count."""
    when = dict(rule.get("when", {}))
    if isinstance(fact, PurchaseRecorded):
        for name in ("amount_minor", "quantity_milli"):
            total = sum(getattr(line, name) for line in counting_lines(programme, rule, fact))
            if name in when and not number_holds(when.pop(name), total):
                return False
    return holds(when, fact)


def holds(conditions: Document, thing: MemberFact | PurchaseLine) -> bool:
    """True if all fields named hold for a fact or a line."""
    for name, condition in conditions.items():
        if name == "attributes":
            given = getattr(thing, name)
            if not all(text_holds(wanted, given.get(key, "")) for key, wanted in condition.items()):
                return False
        elif name in NUMBER_FIELDS:
            if not number_holds(condition, getattr(thing, name)):
                return False
        elif not text_holds(condition, getattr(thing, name)):
            return False
    return True


def line_is_chosen(rule: Document, line: PurchaseLine) -> bool:
    """True if a line matches `lines` (when given) and does not match `exclude_lines` (when given)."""
    if "lines" in rule and not holds(rule["lines"], line):
        return False
    return not ("exclude_lines" in rule and holds(rule["exclude_lines"], line))


# ------------------------------------------------------------------------------------------------ activity


def wall_clock(text: str) -> datetime:
    """`2026-11-11` (its midnight) or `2026-11-11T18:00`."""
    return datetime.fromisoformat(text)


def is_active(rule: Document, zone: Zone, at: int) -> bool:
    """True if everything given under `active` holds at an instant."""
    active = rule.get("active", {})
    if "from" in active and at < zone.first_instant(wall_clock(active["from"])):
        return False
    if "until" in active and at >= zone.first_instant(wall_clock(active["until"])):
        return False
    return not active or is_right_time(active, zone.clock(at))


def is_right_time(active: Document, clock: datetime) -> bool:
    """True if the wall clock shows a weekday, day of the month, date and hour that `active` asks for."""
    if "weekdays" in active and WEEKDAYS[clock.weekday()] not in active["weekdays"]:
        return False
    if "days_of_month" in active and str(clock.day) not in active["days_of_month"]:
        return False
    if "dates" in active and clock.strftime("%m-%d") not in active["dates"]:
        return False
    return "hours" not in active or is_within_hours(active["hours"], clock.time())


def is_within_hours(hours: Document, clock: time) -> bool:
    """Half-open on the wall clock; from later than until goes over midnight."""
    start, end = time.fromisoformat(hours["from"]), time.fromisoformat(hours["until"])
    if start <= end:
        return start <= clock < end
    return clock >= start or clock < end


# ------------------------------------------------------------------------------------------------ worth


def counting_lines(programme: Programme, rule: Document, fact: PurchaseRecorded) -> list[PurchaseLine]:
    """The lines of a purchase that count for a rule."""
    excluded = programme.document.get("exclude_lines")
    chosen = [line for line in fact.lines if line_is_chosen(rule, line)]
    return [line for line in chosen if excluded is None or not holds(excluded, line)]


def basis_of_event(programme: Programme, rule: Document, fact: MemberFact) -> Basis | None:
    """What a `spend` or `fixed` rule counts in a fact, part by part; None if the rule does not match (`active` apart).

    Per unit the basis is in thousandths.
    """
    on = rule["on"] if rule["kind"] == "fixed" else "purchase"
    if not isinstance(fact, EVENTS[on]) or not when_holds(programme, rule, fact):
        return None
    if not isinstance(fact, PurchaseRecorded):
        return [(1, None)]
    counting = counting_lines(programme, rule, fact)
    per = "money" if rule["kind"] == "spend" else rule.get("per", "event")
    if per == "event":
        counting = [line for line in counting if line.amount_minor >= 0]
    elif per in ("line", "unit"):
        counting = [line for line in counting if line.amount_minor > 0]
    if not counting:
        return None
    if per == "event":
        return [(1, None)]
    return [({"money": line.amount_minor, "line": 1, "unit": line.quantity_milli}[per], line) for line in counting]


def rate_of_event(rule: Document) -> Fraction:
    """Points for one unit of the basis of a `spend` or `fixed` rule."""
    if rule["kind"] == "spend":
        return fraction(rule["points"]) / int(rule["per_minor"])
    if rule.get("per") == "unit":
        return fraction(rule["points"]) / 1000
    return fraction(rule["points"])


def multipliers_of(programme: Programme, rule: Document, fact: MemberFact) -> list[Document]:
    """The multipliers that take part in a rule, for this fact."""
    taking_part = []
    for multiplier in programme.document["rules"]:
        if multiplier["kind"] != "multiplier":
            continue
        named = rule["id"] in multiplier["applies_to"] if "applies_to" in multiplier else rule["kind"] == "spend"
        if (
            named
            and is_active(multiplier, programme.zone, fact.occurred_at)
            and when_holds(programme, multiplier, fact)
        ):
            taking_part.append(multiplier)
    return taking_part


def factor_of(stacking: str, multipliers: list[Document], line: PurchaseLine | None) -> Fraction:
    """The combined factor of multipliers on one part of a rule's basis."""
    factors = [fraction(m["factor"]) for m in multipliers if line is None or line_is_chosen(m, line)]
    if not factors:
        return Fraction(1)
    if stacking == "best":
        return max(factors)
    if stacking == "add":
        return max(Fraction(0), 1 + sum((factor - 1 for factor in factors), Fraction(0)))
    product = Fraction(1)
    for factor in factors:
        product *= factor
    return product


def rounded(exact: Fraction, mode: str) -> int:
    """A whole number of points by floor, ceil, half_up or half_even."""
    if mode == "floor":
        return floor(exact)
    if mode == "ceil":
        return ceil(exact)
    if mode == "half_up":
        return floor(exact + Fraction(1, 2))
    if mode == "half_even":
        return round(exact)
    raise ValueError(mode)


def worth(programme: Programme, rule: Document, fact: MemberFact, basis: Basis, rate: Fraction) -> int:
    """Points of a matching rule before limits: Σ basis × factor × rate, rounded once, or line by line."""
    mode = programme.setting(rule, "rounding", "floor")
    stacking = programme.document.get("stacking", "multiply")
    multipliers = multipliers_of(programme, rule, fact)
    if sum(count for count, _ in basis) <= 0:
        return 0
    parts = [count * factor_of(stacking, multipliers, line) * rate for count, line in basis]
    if rule.get("round_per") == "line":
        magnitudes = [(rounded(abs(part), mode), part < 0) for part in parts]
        return max(0, sum(-whole if is_below else whole for whole, is_below in magnitudes))
    return rounded(max(Fraction(0), sum(parts, Fraction(0))), mode)


def bonus(rule: Document, n: int) -> Fraction:
    """The streak bonus on the n-th day of a run."""
    steps = {int(step["day"]): fraction(step["bonus"]) for step in rule.get("steps", [])}
    if not steps:
        return Fraction(0)
    last = max(steps)
    if n <= last:
        return steps.get(n, Fraction(0))
    beyond = rule.get("beyond", "hold")
    if beyond == "hold":
        return steps[last]
    if beyond == "repeat":
        return steps[last] if n % last == 0 else Fraction(0)
    return steps.get((n - 1) % last + 1, Fraction(0))


# ------------------------------------------------------------------------------------------------ expiry and windows


def months_later(day: date, months: int) -> date:
    """The same day some months on; a day that the month does not have becomes its last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return date(year, month + 1, min(day.day, last))
        except ValueError:
            continue
    raise AssertionError(day)


def end_of(day: date, unit: str) -> date:
    """The last day of the month, quarter or year that holds `day`; for `day` itself."""
    if unit == "day":
        return day
    last_month = {"month": day.month, "quarter": (day.month + 2) // 3 * 3, "year": 12}[unit]
    return months_later(date(day.year, last_month, 1), 1) - timedelta(days=1)


def expires_at(programme: Programme, rule: Document, at: int) -> int | None:
    """The instant at which points earned at `at` can no longer be used; None: never."""
    expiry = programme.setting(rule, "expiry", {"kind": "none"})
    today = programme.zone.clock(at).date()
    if expiry["kind"] == "none":
        return None
    if expiry["kind"] == "fixed":
        last = date.fromisoformat(expiry["on"])
    elif "days" in expiry:
        last = today + timedelta(days=int(expiry["days"]))
    else:
        last = months_later(today, int(expiry["months"]))
    return programme.zone.midnight(end_of(last, expiry.get("round_up_to", "day")) + timedelta(days=1))


def window_of(limit: Document, zone: Zone, fact: MemberFact) -> str:
    """The name of the counter that a fact charges."""
    if limit["per"] == "order":
        assert isinstance(fact, PurchaseRecorded)
        return f"order:{fact.order_id}"
    today = zone.clock(fact.occurred_at).date()
    first = {
        "day": today,
        "week": today - timedelta(days=today.weekday()),
        "month": today.replace(day=1),
        "year": today.replace(month=1, day=1),
    }
    name = "lifetime" if limit["per"] == "lifetime" else f"{limit['per']}:{first[limit['per']].isoformat()}"
    return f"{name}/{getattr(fact, limit['each'])}" if "each" in limit else name
