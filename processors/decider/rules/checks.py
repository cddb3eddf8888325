"""Checks between the parts of a ruleset: what no single field can know, each with the path of what to change.

The source of every check is docs/rules.md. Rules and limits come in by shape (not by import), so that this module
stands below the models that call it.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from difflib import get_close_matches
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from processors.decider.rules.scalars import Problem

if TYPE_CHECKING:
    from processors.decider.rules.example import Example
    from processors.decider.rules.ruleset import (
        EarningRule,
        FixedRule,
        Limit,
        MultiplierRule,
        Rule,
        SpendRule,
        StreakRule,
    )

MAX_SPEND_RATE: Final = 10
MAX_FACTOR_PRODUCT: Final = 1_000

# The fields that `when` may ask of each kind of fact (docs/rules.md, "Conditions").
WHEN_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "purchase": ("store_id", "channel", "tender", "amount_minor", "quantity_milli", "attributes"),
    "check_in": ("store_id", "channel", "attributes"),
    "share": ("network", "content_id", "sku", "store_id", "channel", "attributes"),
    "review": ("sku", "rating", "text_length", "media_count", "store_id", "channel", "attributes"),
    "referral": (),
}


def nearest(word: str, known: Sequence[str]) -> str:
    """`; did you mean ...?` if a known word is near, else nothing."""
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean `{near[0]}`?" if near else ""


def fact_of(rule: Rule) -> str:
    """The kind of fact that an earning rule looks at ("" for a multiplier, which looks at those of others)."""
    if rule.kind == "fixed":
        return rule.on
    return {"spend": "purchase", "streak": "check_in", "referral": "referral"}.get(rule.kind, "")


def check_limit(limit: Limit) -> list[Problem]:
    """A limit counts either points or times; only points can be paid in part."""
    if (limit.points is None) == (limit.times is None):
        return [
            Problem((), f"the limit `{limit.id}` counts either `points` or `times`", "write exactly one of the two")
        ]
    if limit.times is not None and "when_reached" in limit.model_fields_set:
        return [Problem(("when_reached",), "a `times` limit pays all or nothing", "delete `when_reached`")]
    return []


def check_rate(rule: SpendRule) -> list[Problem]:
    """A bound on points per minor unit keeps every sum inside an int64."""
    if rule.points > rule.per_minor * MAX_SPEND_RATE:
        hint = f"at most {MAX_SPEND_RATE} points per minor unit; one per 1.00 is `points: 1, per_minor: 100`"
        return [Problem(("points",), f"{rule.points} points per {rule.per_minor} minor units is too much", hint)]
    return []


def check_fixed(rule: FixedRule) -> list[Problem]:
    """Lines exist on purchases only, and rounding per line needs something counted by line."""
    given = rule.model_fields_set
    problems: list[Problem] = []
    if rule.on != "purchase":
        problems.extend(
            Problem((name,), f"`{name}` goes with `on: purchase` only", f"a {rule.on} has no lines; delete `{name}`")
            for name in ("per", "lines", "exclude_lines", "round_per")
            if name in given
        )
    elif rule.per == "event" and "round_per" in given:
        hint = "write `per: line` or `per: unit`, or delete `round_per`"
        problems.append(Problem(("round_per",), "`round_per` goes with rules counted by line", hint))
    return problems


def check_steps(rule: StreakRule) -> list[Problem]:
    """The days of the steps rise, so that each length of the run has one bonus."""
    days = [step.day for step in rule.steps]
    problems = [
        Problem(("steps", place, "day"), f"day {day} does not come after day {before}", "order the steps by day")
        for place, (before, day) in enumerate(pairwise(days), start=1)
        if day <= before
    ]
    if not days and "beyond" in rule.model_fields_set:
        problems.append(Problem(("beyond",), "`beyond` needs `steps`", "write `steps`, or delete `beyond`"))
    return problems


def check_rules(rules: Sequence[Rule], limits: Sequence[Limit], broken: frozenset[str] = frozenset()) -> list[Problem]:
    """All problems between rules and limits.

    Rules and limits named in `broken` were refused already: what refers to them is left alone.
    """
    problems = _unique("rules", [rule.id for rule in rules]) + _unique("limits", [limit.id for limit in limits])
    problems += _alone(rules, "streak") + _alone(rules, "referral")
    known_limits = {limit.id: limit for limit in limits}
    for place, rule in enumerate(rules):
        path = ("rules", place)
        if rule.kind == "multiplier":
            problems += _multiplier(path, rule, rules, broken)
        else:
            problems += _limits_of(path, rule, known_limits, broken)
            problems += _when_of(path, rule, fact_of(rule), f"a `{rule.kind}` rule on {_a(fact_of(rule))}")
    return problems + _factors(rules)


def check_examples(examples: Sequence[Example], rules: Sequence[Rule]) -> list[Problem]:
    """An example expects awards of rules that exist and pay."""
    known = tuple(rule.id for rule in rules if rule.kind != "multiplier")
    return [
        Problem(
            ("examples", place, "expect", item, "rule"),
            f"there is no rule `{expected.rule}` that pays{nearest(expected.rule, known)}",
            f"name one of the file's rules: {_listed(known)}",
        )
        for place, example in enumerate(examples)
        for item, expected in enumerate(example.expect)
        if expected.rule is not None and expected.rule not in known
    ]


def _unique(where: str, ids: list[str]) -> list[Problem]:
    return [
        Problem((where, place, "id"), f"the id `{name}` stands twice in {where}", "give each its own id")
        for place, name in enumerate(ids)
        if name in ids[:place]
    ]


def _alone(rules: Sequence[Rule], kind: str) -> list[Problem]:
    places = [place for place, rule in enumerate(rules) if rule.kind == kind]
    return [
        Problem(("rules", place), f"a second `{kind}` rule: at most one in a ruleset", "delete one of them")
        for place in places[1:]
    ]


def _limits_of(
    path: tuple[str, int], rule: EarningRule, known: dict[str, Limit], broken: frozenset[str]
) -> list[Problem]:
    problems: list[Problem] = []
    for place, name in enumerate(rule.limits):
        limit = known.get(name)
        here = (*path, "limits", place)
        if limit is None:
            if name not in broken:
                hint = f"name one of the file's limits: {_listed(tuple(known))}"
                problems.append(Problem(here, f"there is no limit `{name}`{nearest(name, tuple(known))}", hint))
        elif limit.each == "sku" and fact_of(rule) not in ("share", "review"):
            problems.append(
                Problem(here, f"the limit `{name}` counts each sku", "only rules on a share or review have one sku")
            )
    return problems


def _when_of(path: tuple[str, int], rule: Rule, fact: str, what: str) -> list[Problem]:
    if rule.kind == "referral" or rule.when is None:
        return []
    allowed = WHEN_FIELDS[fact]
    return [
        Problem(
            (*path, "when", name),
            f"{what} has no `{name}`{nearest(name, allowed)}",
            f"`when` may ask for {_listed(allowed)}",
        )
        for name in rule.when.asked()
        if name not in allowed
    ]


def _multiplier(
    path: tuple[str, int], rule: MultiplierRule, rules: Sequence[Rule], broken: frozenset[str]
) -> list[Problem]:
    by_id = {other.id: other for other in rules}
    problems: list[Problem] = []
    targets: list[Rule] = []
    if rule.applies_to is None:
        targets = [other for other in rules if other.kind == "spend"]
        if not targets and not broken:
            hint = "name the rules it multiplies in `applies_to`"
            problems.append(Problem(path, f"`{rule.id}` multiplies every spend rule, and there is none", hint))
    else:
        for place, name in enumerate(rule.applies_to):
            other = by_id.get(name)
            here = (*path, "applies_to", place)
            if other is None:
                if name not in broken:
                    ids = tuple(known for known, rule in by_id.items() if rule.kind != "multiplier")
                    hint = f"name one of the file's rules: {_listed(ids)}"
                    problems.append(Problem(here, f"there is no rule `{name}`{nearest(name, ids)}", hint))
            elif other.kind == "multiplier":
                hint = "name the rules that pay; several multipliers combine by `stacking`"
                problems.append(Problem(here, f"`{name}` is a multiplier itself", hint))
            else:
                targets.append(other)
    return problems + _asked_of_targets(path, rule, targets)


def _asked_of_targets(path: tuple[str, int], rule: MultiplierRule, targets: list[Rule]) -> list[Problem]:
    problems: list[Problem] = []
    seen: set[str] = set()
    for other in targets:
        fact = fact_of(other)
        for problem in _when_of(path, rule, fact, f"`{other.id}`, on {_a(fact)},"):
            if str(problem.path) not in seen:
                seen.add(str(problem.path))
                problems.append(problem)
        by_line = other.kind == "spend" or (other.kind == "fixed" and other.per != "event")
        for name in ("lines", "exclude_lines"):
            if not by_line and getattr(rule, name) is not None and name not in seen:
                seen.add(name)
                hint = "apply it to `spend` rules, or to `fixed` rules with `per: line` or `per: unit`"
                problems.append(Problem((*path, name), f"`{other.id}` is not counted by line", hint))
    return problems


def _factors(rules: Sequence[Rule]) -> list[Problem]:
    product = Decimal(1)
    for place, rule in enumerate(rules):
        if rule.kind == "multiplier" and rule.factor > 1:
            product *= rule.factor
            if product > MAX_FACTOR_PRODUCT:
                message = f"all factors above 1 together make {product.normalize():f}"
                return [Problem(("rules", place, "factor"), message, f"at most {MAX_FACTOR_PRODUCT} is allowed")]
    return []


def _a(fact: str) -> str:
    return f"a {fact}"


def _listed(names: Sequence[str], bound: int = 12) -> str:
    shown = ", ".join(names[:bound]) or "(none)"
    return f"{shown}, …" if len(names) > bound else shown
