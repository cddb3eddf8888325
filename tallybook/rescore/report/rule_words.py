"""Puts into words what the rules, limits and expiries of a ruleset say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from processors.decider.fields.conditions import Active, LineConditions, NumberCondition, TextCondition, When
from processors.decider.fields.expiry_and_limit import Expiry, FixedExpiry, Limit, RollingExpiry
from processors.decider.fields.scalars import WEEKDAYS
from processors.decider.kinds.fixed import FixedRule
from processors.decider.kinds.multiplier import MultiplierRule
from processors.decider.kinds.referral import ReferralRule
from processors.decider.kinds.registry import Rule
from processors.decider.kinds.rule import AnyRule
from processors.decider.kinds.spend import SpendRule
from processors.decider.kinds.streak import StreakRule
from processors.decider.rules.ruleset import Ruleset
from schemas.currencies import DECIMALS
from tallybook.rescore.report.day_words import day_words
from tallybook.screen import counted

MAX_LISTED: Final = 12  # values of a condition, or steps of a run, that are named
_MILLI: Final = 3
_FACTS: Final[Mapping[str, str]] = {"check_in": "check-in"}
# The fields that say together what a rule gives; each other field is told by itself.
GIVING: Final = frozenset(
    {"points", "per_minor", "on", "per", "daily", "steps", "referrer_points", "referee_points", "factor", "applies_to"}
)
ROUNDED: Final[Mapping[str, str]] = {
    "floor": "down",
    "ceil": "up",
    "half_up": "to the nearest point, halves up",
    "half_even": "to the nearest point, halves to the even one",
}
STACKED: Final[Mapping[str, str]] = {
    "multiply": "multiplied with each other",
    "add": "added to each other",
    "best": "not combined: the greatest one counts",
}
_BEYOND: Final[Mapping[str, str]] = {
    "hold": "the last bonus every day",
    "repeat": "the last bonus again after as many days",
    "restart": "all bonuses from the beginning",
}
_EACH: Final[Mapping[str, str]] = {"sku": " for each product", "store_id": " at each store"}
_FIELDS: Final[Mapping[str, str]] = {
    "store_id": "store",
    "sku": "product",
    "content_id": "content",
    "amount_minor": "amount",
    "quantity_milli": "quantity",
    "text_length": "length of the text",
    "media_count": "pictures and films",
}


def gives(rule: Rule, ruleset: Ruleset) -> str:
    """What a rule gives, such as `1 point per 2.00 EUR`."""
    if isinstance(rule, SpendRule):
        return f"{_points(rule.points)} per {money(rule.per_minor, ruleset.currency)}"
    if isinstance(rule, FixedRule):
        return f"{_points(rule.points)} for each {_FACTS.get(rule.on, rule.on) if rule.per == 'event' else rule.per}"
    if isinstance(rule, StreakRule):
        return _streak(rule)
    if isinstance(rule, ReferralRule):
        return f"{rule.referrer_points:,} to the one who brings a friend and {rule.referee_points:,} to the friend"
    targets = "every rule on spending" if rule.applies_to is None else listed(map(quoted, rule.applies_to))
    return f"{rule.factor:,f} times the points of {targets}"


def gives_at_most(rule: Rule, ruleset: Ruleset) -> str:
    """What a rule gives and its limits, such as `1 point per 2.00 EUR (at most 500 points a day)`."""
    named = [limit_words(limit) for limit in limits_of(rule, ruleset)]
    return gives(rule, ruleset) + (f" (at most {' and '.join(named)})" if named else "")


def described(rule: Rule, ruleset: Ruleset) -> str:
    """All that a rule says: what it gives, its limits, and every field that is given."""
    given = [
        field_words(rule, name, ruleset)
        for name, field in type(rule).model_fields.items()
        if name not in GIVING | {"id", "kind", "limits"} and getattr(rule, name) != field.default
    ]
    return gives_at_most(rule, ruleset) + "".join(f"; {about}: {said}" for about, said in given)


def limits_of(rule: Rule, ruleset: Ruleset) -> list[Limit]:
    """The limits that cut a rule; a multiplier has none."""
    if isinstance(rule, MultiplierRule):
        return []
    limits = {limit.id: limit for limit in ruleset.limits}
    return [limits[name] for name in rule.limits]


def limit_words(limit: Limit) -> str:
    """What a limit allows, such as `500 points a day`."""
    most = counted(limit.points, "point") if limit.points is not None else counted(limit.times or 0, "time")
    per = {"lifetime": "in a lifetime", "order": "an order"}.get(limit.per, f"a {limit.per}")
    whole = ", whole awards only" if limit.when_reached == "refuse" else ""
    return f"{most} {per}{_EACH.get(limit.each or '', '')}{whole}"


def expiry_words(expiry: Expiry) -> str:
    """When points expire, such as `6 months after they were earned, at the end of the month`."""
    if isinstance(expiry, FixedExpiry):
        return f"at the end of {day_words(expiry.on)}"
    if isinstance(expiry, RollingExpiry):
        after = counted(expiry.days, "day") if expiry.days is not None else counted(expiry.months or 0, "month")
        return f"{after} after they were earned, at the end of the {expiry.round_up_to}"
    return "never"


def field_words(rule: AnyRule, name: str, ruleset: Ruleset) -> tuple[str, str]:
    """What one field of a rule is about, and what it says; GIVING are not told by themselves."""
    about, say = _TOLD.get(name, (name, lambda value, _: str(value)))
    return about, say(getattr(rule, name), ruleset)


def money(minor: int, currency: str) -> str:
    """An amount in minor units as people write it, such as `2.00 EUR`."""
    return f"{Decimal(minor).scaleb(-DECIMALS[currency]):,f} {currency}"


def conditions_words(asked: When | LineConditions | None, ruleset: Ruleset, nothing: str) -> str:
    """What is asked of a fact or a line, such as `category FISH or MEAT; amount at least 1.00 EUR`."""
    if asked is None:
        return nothing
    parts = [f"{_FIELDS.get(name, name)} {_text(test)}" for name, test in asked.texts().items()]
    parts += [f"{_FIELDS.get(name, name)} {_number(name, test, ruleset)}" for name, test in asked.numbers().items()]
    parts += [f"{name} {_text(test)}" for name, test in (asked.attributes if isinstance(asked, When) else {}).items()]
    return "; ".join(parts)


def listed(words: Iterable[str], last: str = "and") -> str:
    """Words one after the other, such as `a, b and c`; those behind MAX_LISTED are counted."""
    all_ = list(words)
    if len(all_) > MAX_LISTED:
        return f"{', '.join(all_[:MAX_LISTED])} {last} {len(all_) - MAX_LISTED} more"
    return f" {last} ".join([*([", ".join(all_[:-1])] if all_[:-1] else []), *all_[-1:]])


def quoted(name: str) -> str:
    """A name of a rule or a limit, in quotation marks."""
    return f"“{name}”"


def _points(points: Decimal) -> str:
    return f"{points:,f} {'point' if points == 1 else 'points'}"


def _streak(rule: StreakRule) -> str:
    daily = f"{_points(rule.daily)} a day"
    if not rule.steps:
        return daily
    return f"{daily}, and {listed(f'{step.bonus:,f} more on day {step.day}' for step in rule.steps)} of a run"


def _text(test: TextCondition) -> str:
    parts = []
    if test.any_of is not None:
        parts.append(listed((text or "not given" for text in test.any_of), "or"))
    if test.not_in is not None:
        parts.append(f"not {listed((text or 'missing' for text in test.not_in), 'or')}")
    return " and ".join(parts)


def _number(name: str, test: NumberCondition, ruleset: Ruleset) -> str:
    def said(value: int) -> str:
        if name == "amount_minor":
            return money(value, ruleset.currency)
        return f"{Decimal(value).scaleb(-_MILLI).normalize():,f}" if name == "quantity_milli" else f"{value:,}"

    if test.min == test.max and test.min is not None:
        return said(test.min)
    bounds = (("at least", test.min), ("at most", test.max))
    return " and ".join(f"{word} {said(bound)}" for word, bound in bounds if bound is not None)


def _active(active: Active | None) -> str:
    if active is None:
        return "always"
    parts = []
    if active.from_ is not None:
        parts.append(f"from {_local(active.from_)}")
    if active.until is not None:
        parts.append(f"until before {_local(active.until)}")
    if active.weekdays is not None:
        parts.append(f"on {listed(WEEKDAYS[day].capitalize() + 's' for day in active.weekdays)}")
    if active.days_of_month is not None:
        parts.append(f"on {listed(f'the {day}.' for day in active.days_of_month)} of the month")
    if active.dates is not None:
        parts.append(f"every year on {listed(f'{month:02d}-{day:02d}' for month, day in active.dates)}")
    if active.hours is not None:
        parts.append(f"from {active.hours.from_:%H:%M} to {active.hours.until:%H:%M}")
    return ", ".join(parts)


def _local(at: Any) -> str:
    return day_words(at) if not (at.hour or at.minute) else f"{day_words(at)}, {at:%H:%M}"


_TOLD: Final[dict[str, tuple[str, Callable[[Any, Ruleset], str]]]] = {
    "active": ("active", lambda value, _: _active(value)),
    "when": ("only with", lambda value, rules: conditions_words(value, rules, "nothing more")),
    "lines": ("lines with", lambda value, rules: conditions_words(value, rules, "anything")),
    "exclude_lines": ("not for lines with", lambda value, rules: conditions_words(value, rules, "nothing")),
    "rounding": ("rounds", lambda value, rules: ROUNDED[value or rules.rounding]),
    "round_per": ("rounds once for each", lambda value, _: str(value)),
    "expiry": ("its points expire", lambda value, rules: expiry_words(value or rules.expiry)),
    "limits": ("limits", lambda value, _: listed(map(quoted, value)) or "none"),
    "beyond": ("after the last bonus of a run", lambda value, _: _BEYOND[value]),
    "grace_days": ("missed days that are forgiven", lambda value, _: f"{value}"),
    "min_amount_minor": ("order of at least", lambda value, rules: money(value, rules.currency)),
    "claim_ranks": (
        "pays who brings a friend as number",
        lambda value, _: listed((f"{rank}" for rank in value), "or"),
    ),
    "new_members": ("pays for", lambda value, _: "a new member's first purchase alone" if value else "any purchase"),
}
