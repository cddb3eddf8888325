"""Writes a ruleset as Python source, one function for each type of fact.

The source of a ruleset is the fastest to run and the easiest to check against the file: rules in their order, each
under its name, its conditions as Python has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from processors.decider.fields.condition_tests import line_test, sums_asked
from processors.decider.kinds.multiplier import MultiplierRule
from processors.decider.kinds.purchase_lines import lines_that_pass
from processors.decider.kinds.rule import AnyRule, NumberedRule, indented
from processors.decider.rules.ruleset import Ruleset

# Facts about which something is said even where no rule counts them: another currency, a claim that is settled.
_ALWAYS = ("PurchaseRecorded", "RefereePurchased")


@dataclass(frozen=True)
class NumberedMultiplier:
    """A multiplier with its bit, and the types of the facts that it can take part in."""

    rule: MultiplierRule
    bit: int
    fact_types: frozenset[str]


def fact_type_of(numbered: NumberedRule) -> str:
    """The type name of the facts that a rule counts."""
    return numbered.rule.fact().counted.__name__


def fact_types_of(rules: Sequence[NumberedRule]) -> list[str]:
    """The type names of the facts that have a function of their own."""
    return list(dict.fromkeys((*_ALWAYS, *map(fact_type_of, rules))))


def ruleset_source(ruleset: Ruleset, rules: Sequence[NumberedRule], multipliers: Sequence[NumberedMultiplier]) -> str:
    """The source of `earn_<type>(awards, account, fact, active)` for every type of fact in `fact_types_of`.

    Each function pays every rule that takes part into `awards`, and returns the reason that holds if none was paid.
    `active` is the sum of the time bits. The names `rule_<n>`, `worths_<n>` and the reasons are for the caller to give.
    """
    parts = [f"# {ruleset.programme} {ruleset.version}"]
    for fact_type in fact_types_of(rules):
        own = [each for each in rules if fact_type_of(each) == fact_type]
        taking = [each for each in multipliers if fact_type in each.fact_types]
        body = [*_head(ruleset, fact_type, own, taking), *_taking(taking)]
        gives_reason = any(each.rule.gives_reason for each in own)
        if gives_reason:
            body.append("reason = NO_RULE_MATCHED")
        for each in own:
            body += _rule(each)
        body.append("return reason" if gives_reason else "return NO_RULE_MATCHED")
        parts.append("\n".join([f"def earn_{fact_type}(awards, account, fact, active):", *indented(body)]))
    return "\n\n\n".join(parts) + "\n"


def _head(
    ruleset: Ruleset, fact_type: str, rules: Sequence[NumberedRule], multipliers: Sequence[NumberedMultiplier]
) -> list[str]:
    """What holds of a fact whatever the rules ask of it."""
    in_currency = [f"if fact.currency != {ruleset.currency!r}:", "    return OTHER_CURRENCY"]
    if fact_type == "RefereePurchased":
        settled = ["if claim in account.claims_paid:", "    return CLAIM_ALREADY_PAID"]
        return ["claim = claim_key(fact.referee_id, fact.claim_rank)", *settled, *in_currency]
    if fact_type != "PurchaseRecorded":
        return []
    lines = lines_that_pass("lines", "fact.lines", line_test(None, ruleset.exclude_lines))
    head = [*in_currency, *lines, "if not lines:", "    return NO_RULE_MATCHED"]
    asking: list[AnyRule] = [*(each.rule for each in rules), *(each.rule for each in multipliers)]
    tests = [test for rule in asking for test in rule.tests()]
    for name in sorted(sums_asked(tests)):
        head += [f"{name} = 0", "for line in fact.lines:", f"    {name} += line.{name}"]
    return head


def _taking(multipliers: Sequence[NumberedMultiplier]) -> list[str]:
    """`taking` is the sum of the bits of the multipliers that take part."""
    if not multipliers:
        return []
    by_time = sum(each.bit for each in multipliers if not each.rule.tests())
    statements = [f"taking = active & {by_time:#b}"]
    for each in multipliers:
        tests = [test.test for test in each.rule.tests()]
        if tests:
            in_time = [f"active & {each.bit:#b}"] if each.rule.active else []
            statements.append(f"if {' and '.join(in_time + tests)}:  # {each.rule.id}")
            statements.append(f"    taking |= {each.bit:#b}")
    return statements


def _rule(numbered: NumberedRule) -> list[str]:
    tests = [f"active & {numbered.time_bit:#b}"] if numbered.time_bit else []
    tests += [test.test for test in numbered.rule.tests()]
    statements = numbered.rule.source(numbered)
    if tests:
        statements = [f"if {' and '.join(tests)}:", *indented(statements)]
    return [f"# {numbered.rule.id}", *statements]
