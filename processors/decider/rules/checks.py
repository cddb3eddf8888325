"""Checks the parts of a ruleset against each other, and names the path of everything that must be changed.

The source of every check is docs/rules.md.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from processors.decider.fields.example import Example
from processors.decider.fields.expiry_and_limit import Limit
from processors.decider.fields.problems import Problem, listed, nearest
from processors.decider.kinds.registry import RULE_KINDS
from processors.decider.kinds.rule import AnyRule, EarningRule, Programme


def check_rules(
    rules: Sequence[AnyRule], limits: Sequence[Limit], broken: frozenset[str] = frozenset()
) -> list[Problem]:
    """All problems between rules and limits.

    Rules and limits named in `broken` were refused already: what refers to them is left alone.
    """
    problems = [*_unique("rules", [rule.id for rule in rules]), *_unique("limits", [limit.id for limit in limits])]
    limit_by_id = {limit.id: limit for limit in limits}
    for place, rule in enumerate(rules):
        problems += rule.problems_beside(("rules", place), rules, limit_by_id, broken)
    for kind in RULE_KINDS.values():
        problems += kind.problems_together(rules)
    return problems


def check_examples(examples: Sequence[Example], rules: Sequence[AnyRule]) -> list[Problem]:
    """Where an example expects an award of a rule that does not exist or does not pay."""
    known = tuple(rule.id for rule in rules if isinstance(rule, EarningRule))
    return [
        Problem(
            ("examples", place, "expect", item, "rule"),
            f"there is no rule `{expected.rule}` that pays{nearest(expected.rule, known)}",
            f"name one of the file's rules: {listed(known)}",
        )
        for place, example in enumerate(examples)
        for item, expected in enumerate(example.expect)
        if expected.rule is not None and expected.rule not in known
    ]


def find_warnings(ruleset: Programme) -> list[Problem]:
    """What a ruleset may say but cannot mean, by path, with what to change."""
    found = list(_warnings_of_limits(ruleset))
    for place, rule in enumerate(ruleset.rules):
        found += rule.warnings(("rules", place), ruleset)
    return found


def _warnings_of_limits(ruleset: Programme) -> Iterator[Problem]:
    used = Counter(name for rule in ruleset.rules if isinstance(rule, EarningRule) for name in rule.limits)
    for place, limit in enumerate(ruleset.limits):
        if limit.per == "order" and limit.times and used[limit.id] > limit.times:
            message = (
                f"{used[limit.id]} rules share the limit `{limit.id}`, which lets {limit.times} of them pay an order: "
                "the earlier rules take what there is"
            )
            yield Problem(("limits", place, "times"), message, "give each rule a limit of its own, or let more be paid")
        if limit.id not in used:
            hint = f"write `limits: [{limit.id}]` at a rule, or delete it"
            yield Problem(("limits", place), f"no rule lists the limit `{limit.id}`", hint)
        if (limit.points, limit.times) in ((0, None), (None, 0)):
            name = "points" if limit.points == 0 else "times"
            message = f"the limit `{limit.id}` lets nothing be paid"
            yield Problem(("limits", place, name), message, "write more than 0")


def _unique(where: str, ids: list[str]) -> Iterator[Problem]:
    for place, name in enumerate(ids):
        if name in ids[:place]:
            yield Problem((where, place, "id"), f"the id `{name}` stands twice in {where}", "give each its own id")
