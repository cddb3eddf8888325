"""Finds what a ruleset may say but cannot mean: conditions that never hold, limits that nothing meets, empty pay."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final

from processors.decider.rules.checks import fact_of
from processors.decider.rules.ruleset import (
    EarningRule,
    FixedExpiry,
    FixedRule,
    Limit,
    MultiplierRule,
    ReferralRule,
    Ruleset,
    SpendRule,
    StreakRule,
)
from processors.decider.rules.satisfiable import (
    Sets,
    asked_of_fact,
    asked_of_line,
    empty_field,
    ever_active,
    is_covered,
    together,
)
from processors.decider.rules.scalars import Problem

Path = tuple[str | int, ...]
_NEVER: Final = "as it stands, the rule never pays"


def find_warnings(ruleset: Ruleset) -> list[Problem]:
    """What is allowed but cannot be meant, by path, with what to change."""
    found: list[Problem] = list(_of_limits(ruleset))
    for place, rule in enumerate(ruleset.rules):
        path: Path = ("rules", place)
        if isinstance(rule, MultiplierRule):
            found.extend(_of_multiplier(path, rule, ruleset))
        else:
            found.extend(chain(_of_conditions(path, rule, ruleset), _of_pay(path, rule, ruleset)))
            found.extend(_of_expiry(path, rule, ruleset))
    return found


def _of_limits(ruleset: Ruleset) -> Iterator[Problem]:
    used = {name for rule in _earning(ruleset) for name in rule.limits}
    for place, limit in enumerate(ruleset.limits):
        path: Path = ("limits", place)
        if limit.id not in used:
            hint = f"write `limits: [{limit.id}]` at a rule, or delete it"
            yield Problem(path, f"no rule lists the limit `{limit.id}`", hint)
        if (limit.points, limit.times) in ((0, None), (None, 0)):
            name = "points" if limit.points == 0 else "times"
            yield Problem((*path, name), f"the limit `{limit.id}` lets nothing be paid", "write more than 0")


def _of_conditions(path: Path, rule: EarningRule, ruleset: Ruleset) -> Iterator[Problem]:
    if rule.active is not None and not ever_active([rule.active]):
        yield Problem((*path, "active"), "there is no moment at which all of `active` holds", _NEVER)
    if isinstance(rule, ReferralRule):
        return
    field = empty_field(asked_of_fact(rule.when))
    if field is not None:
        yield Problem((*path, "when", *_keys(field)), f"no {fact_of(rule)} has this `{_keys(field)[-1]}`", _NEVER)
    if isinstance(rule, SpendRule | FixedRule):
        yield from _of_lines(path, asked_of_line(rule.lines), rule, ruleset)


def _of_lines(path: Path, lines: Sets, rule: SpendRule | FixedRule, ruleset: Ruleset) -> Iterator[Problem]:
    field = empty_field(lines)
    if field is not None:
        yield Problem((*path, "lines", field), f"no line has this `{field}`", _NEVER)
    elif is_covered(lines, asked_of_line(rule.exclude_lines)):
        yield Problem((*path, "exclude_lines"), "this excludes every line that `lines` asks for", _NEVER)
    elif is_covered(lines, asked_of_line(ruleset.exclude_lines)):
        hint = "the programme's `exclude_lines` holds for every purchase rule; " + _NEVER
        yield Problem((*path, "lines"), "the programme excludes every line that this asks for", hint)


def _of_pay(path: Path, rule: EarningRule, ruleset: Ruleset) -> Iterator[Problem]:
    if isinstance(rule, StreakRule):
        yield from _of_streak(path, rule)
    if isinstance(rule, ReferralRule) and rule.referrer_points == rule.referee_points == 0:
        yield Problem(path, f"the referral rule `{rule.id}` pays nobody", "give one side points, or delete the rule")
    if isinstance(rule, FixedRule) and rule.per == "event" and not _multipliers(rule, ruleset):
        yield from _of_fixed_points(path, rule, ruleset)
    for place, name in enumerate(rule.limits):
        limit = _limit(ruleset, name)
        here: Path = (*path, "limits", place)
        if limit.each == "store_id" and isinstance(rule, ReferralRule):
            yield Problem(
                here, "a referral has no store, so this counts them all together", "use a limit without `each`"
            )


def _of_fixed_points(path: Path, rule: FixedRule, ruleset: Ruleset) -> Iterator[Problem]:
    if rule.points < 1 and (rule.rounding or ruleset.rounding) == "floor":
        hint = "write whole points, or another `rounding`"
        yield Problem((*path, "points"), f"{rule.points} points are rounded down to 0 every time", hint)
    for place, name in enumerate(rule.limits):
        limit = _limit(ruleset, name)
        if limit.points is not None and 0 < limit.points < int(rule.points) and limit.when_reached == "refuse":
            message = (
                f"{rule.points} points never fit into `{name}` ({limit.points} at most), which refuses what does not"
            )
            yield Problem((*path, "limits", place), message, "raise the limit, or let it pay the remainder")


def _of_streak(path: Path, rule: StreakRule) -> Iterator[Problem]:
    if rule.daily == 0 and all(step.bonus == 0 for step in rule.steps):
        yield Problem(path, f"the streak `{rule.id}` pays nothing on any day", "write `daily`, or steps with a bonus")
        return
    if not rule.steps or rule.beyond != "hold":
        return
    last = rule.steps[-1]
    if last.bonus == 0 and rule.daily == 0:
        hint = "write `beyond: repeat` or `beyond: restart`, or give the last step a bonus"
        yield Problem((*path, "steps"), f"after day {last.day} of a run nothing is paid any more", hint)
    elif last.bonus > 0 and "beyond" not in rule.model_fields_set:
        hint = "write `beyond: hold` if that is meant, else `repeat` or `restart`"
        yield Problem((*path, "steps"), f"from day {last.day} on, every day pays the bonus of {last.bonus} again", hint)


def _of_expiry(path: Path, rule: EarningRule, ruleset: Ruleset) -> Iterator[Problem]:
    expiry = rule.expiry or ruleset.expiry
    start = rule.active.from_ if rule.active is not None else None
    if isinstance(expiry, FixedExpiry) and start is not None and expiry.on < start.date():
        where: Path = path if rule.expiry is None else (*path, "expiry")
        message = f"its points expire on {expiry.on}, before the rule begins on {start.date()}"
        yield Problem(where, message, "give the rule a later `expiry`")


def _of_multiplier(path: Path, rule: MultiplierRule, ruleset: Ruleset) -> Iterator[Problem]:
    if rule.factor == 1:
        yield Problem((*path, "factor"), "a factor of 1 changes nothing", "write another factor, or delete the rule")
    if rule.active is not None and not ever_active([rule.active]):
        hint = "as it stands, the multiplier never takes part"
        yield Problem((*path, "active"), "there is no moment at which all of `active` holds", hint)
        return
    targets = {other.id: other for other in _earning(ruleset)}
    names = ruleset.multiplied(rule)
    obstacles = [_obstacle(rule, targets[name], ruleset) for name in names]
    if all(obstacles):
        message = f"`{rule.id}` never takes part: {obstacles[0]}"
        yield Problem(path, message, "change its conditions, or delete it")
    elif rule.applies_to is not None:
        for place, obstacle in enumerate(obstacles):
            if obstacle:
                message = f"`{rule.id}` never takes part in `{names[place]}`: {obstacle}"
                yield Problem((*path, "applies_to", place), message, "take the rule out of `applies_to`")


def _obstacle(rule: MultiplierRule, other: EarningRule, ruleset: Ruleset) -> str:
    """Why a multiplier can never take part in a rule that it applies to, or ""."""
    if rule.active is not None and other.active is not None and not ever_active([rule.active, other.active]):
        return f"it is never active together with `{other.id}`"
    if isinstance(other, ReferralRule):
        return ""
    field = empty_field(together([asked_of_fact(other.when), asked_of_fact(rule.when)]))
    if field is not None:
        return f"its `{_keys(field)[-1]}` never fits that of `{other.id}`"
    return _obstacle_by_line(rule, other, ruleset) if isinstance(other, SpendRule | FixedRule) else ""


def _obstacle_by_line(rule: MultiplierRule, other: SpendRule | FixedRule, ruleset: Ruleset) -> str:
    lines = together([asked_of_line(other.lines), asked_of_line(rule.lines)])
    field = empty_field(lines)
    if field is not None:
        return f"its lines' `{field}` never fits that of `{other.id}`"
    for excluded, whose in (
        (rule.exclude_lines, "its own `exclude_lines`"),
        (other.exclude_lines, f"the `exclude_lines` of `{other.id}`"),
        (ruleset.exclude_lines, "the programme's `exclude_lines`"),
    ):
        if is_covered(lines, asked_of_line(excluded)):
            return f"{whose} leaves no line to multiply"
    return ""


def _multipliers(rule: EarningRule, ruleset: Ruleset) -> list[MultiplierRule]:
    return [
        other for other in ruleset.rules if isinstance(other, MultiplierRule) and rule.id in ruleset.multiplied(other)
    ]


def _earning(ruleset: Ruleset) -> list[EarningRule]:
    return [rule for rule in ruleset.rules if not isinstance(rule, MultiplierRule)]


def _limit(ruleset: Ruleset, name: str) -> Limit:
    return next(limit for limit in ruleset.limits if limit.id == name)


def _keys(field: str) -> tuple[str, ...]:
    """A field's path below `when`: `attributes.<name>` has two keys."""
    name, dot, attribute = field.partition(".")
    return (name, attribute) if dot else (name,)
