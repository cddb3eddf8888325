"""Compiles a ruleset, once per version, into one function for each type of fact."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

from processors.decider.fields.condition_source import line_function, line_test, sums_asked
from processors.decider.fields.expiry_and_limit import Expiry, Limit
from processors.decider.kinds.multiplier import MultiplierRule
from processors.decider.kinds.purchase_lines import lines_that_pass
from processors.decider.kinds.rule import AnyRule, EarningRule, NumberedRule, indented
from processors.decider.limits import CompiledLimit
from processors.decider.local_day import RuleDays, term
from processors.decider.local_time import Zone
from processors.decider.points import CompiledMultiplier, CompiledRule, worth_of_lines
from processors.decider.rounding import ROUNDINGS
from processors.decider.rules.ruleset import Ruleset
from schemas.entry_ids import claim_key
from schemas.facts import MemberFact, RulesetPublished
from schemas.generated import define
from schemas.posting import Reason

MAX_COMPILED_KEPT: Final = 16
# `earn(awards, account, fact, active)` pays into `awards`, and returns the reason that holds if nothing was paid.
Earn = Callable[[Any, Any, Any, int], Reason]
_NAMES: Final[Mapping[str, Any]] = {
    "claim_key": claim_key,
    "worth_of_lines": worth_of_lines,
    "CLAIM_ALREADY_PAID": Reason.CLAIM_ALREADY_PAID,
    "NO_RULE_MATCHED": Reason.NO_RULE_MATCHED,
    "OTHER_CURRENCY": Reason.OTHER_CURRENCY,
}
# Facts that have a reason of their own even where no rule counts them: another currency, a claim that is settled.
_ALWAYS = ("PurchaseRecorded", "RefereePurchased")


@dataclass(frozen=True, slots=True)
class CompiledRuleset:
    """A ruleset version in force: its days, its earning function by the type name of the fact, its rules.

    `source` is the text of these functions, for people.
    """

    version: str
    ruleset_hash: str
    semantics: int
    zone: Zone
    currency: str
    days: RuleDays
    earning: dict[str, Earn]
    rules_by_type: dict[str, tuple[CompiledRule, ...]]
    source: str

    def rules_for(self, fact: MemberFact) -> tuple[CompiledRule, ...]:
        """The rules that can earn on this kind of fact, in the order of the file."""
        return self.rules_by_type.get(type(fact).__name__, ())


@lru_cache(MAX_COMPILED_KEPT)
def compile_published(published: RulesetPublished, load: Callable[[str], Ruleset]) -> CompiledRuleset:
    """The compiled ruleset of a publication; all partitions of a process share it, and what it has worked out."""
    zone = Zone(published.timezone, published.tzif)
    return compile_ruleset(load(published.text), published.ruleset_hash, published.semantics, zone)


def compile_ruleset(ruleset: Ruleset, ruleset_hash: str, semantics: int, zone: Zone) -> CompiledRuleset:
    """Compile a validated ruleset against the zone data that was published with it."""
    multipliers = _number_multipliers(ruleset)
    rules = _number_rules(ruleset, multipliers)
    expiries = list(dict.fromkeys(_expiry(ruleset, each.rule) for each in rules))
    limits = {limit.id: _compile_limit(limit) for limit in ruleset.limits}
    names = dict(_NAMES)
    by_type: dict[str, list[CompiledRule]] = {}
    for each in rules:
        expiry = expiries.index(_expiry(ruleset, each.rule))
        rule = _compile_rule(ruleset, each, multipliers, limits, expiry)
        names |= each.rule.names
        names[f"rule_{each.number}"], names[f"worths_{each.number}"] = rule, rule.worths
        by_type.setdefault(fact_type_of(each), []).append(rule)
    source = ruleset_source(ruleset, rules, multipliers)
    define(f"ruleset {ruleset.programme} {ruleset.version} {ruleset_hash[:8]}", source, names)
    return CompiledRuleset(
        version=ruleset.version,
        ruleset_hash=ruleset_hash,
        semantics=semantics,
        zone=zone,
        currency=ruleset.currency,
        days=_days(zone, rules, multipliers, expiries),
        earning={fact_type: names[f"earn_{fact_type}"] for fact_type in fact_types_of(rules)},
        rules_by_type={fact_type: tuple(compiled) for fact_type, compiled in by_type.items()},
        source=source,
    )


def nothing_earned(*_: object) -> Reason:
    """The reason for a kind of fact that no rule counts."""
    return Reason.NO_RULE_MATCHED


def _number_multipliers(ruleset: Ruleset) -> list[NumberedMultiplier]:
    """Every multiplier with a bit of its own."""
    found = [rule for rule in ruleset.rules if isinstance(rule, MultiplierRule)]
    return [
        NumberedMultiplier(
            rule, 1 << number, frozenset(each.fact().counted.__name__ for each in rule.multiplied(ruleset.rules))
        )
        for number, rule in enumerate(found)
    ]


def _number_rules(ruleset: Ruleset, multipliers: list[NumberedMultiplier]) -> list[NumberedRule]:
    """The earning rules; those that are not always active have a bit beyond the multipliers'."""
    multiplied = {each.bit: {rule.id for rule in each.rule.multiplied(ruleset.rules)} for each in multipliers}
    numbered: list[NumberedRule] = []
    for number, rule in enumerate(rule for rule in ruleset.rules if isinstance(rule, EarningRule)):
        own = [each for each in multipliers if rule.id in multiplied[each.bit]]
        numbered.append(
            NumberedRule(
                number=number,
                rule=rule,
                time_bit=1 << len(multipliers) + number if rule.active is not None else 0,
                multipliers=sum(each.bit for each in own),
                by_line=sum(each.bit for each in own if any(each.rule.lines_asked())),
            )
        )
    return numbered


def _days(
    zone: Zone, rules: list[NumberedRule], multipliers: list[NumberedMultiplier], expiries: list[Expiry]
) -> RuleDays:
    terms = [term(each.bit, each.rule.active, zone) for each in multipliers]
    terms += [term(each.time_bit, each.rule.active, zone) for each in rules if each.time_bit]
    return RuleDays(zone, terms, expiries)


def _expiry(ruleset: Ruleset, rule: EarningRule) -> Expiry:
    return rule.expiry or ruleset.expiry


def _compile_limit(limit: Limit) -> CompiledLimit:
    return CompiledLimit(limit.id, limit.per, limit.points, limit.times, limit.each, limit.when_reached == "refuse")


def _compile_rule(
    ruleset: Ruleset,
    numbered: NumberedRule,
    multipliers: list[NumberedMultiplier],
    limits: dict[str, CompiledLimit],
    expiry: int,
) -> CompiledRule:
    rule = numbered.rule
    rounding = rule.rounding or ruleset.rounding
    return CompiledRule(
        rule_id=rule.id,
        counted=rule.counted(),
        rounding=rounding,
        round_whole=ROUNDINGS[rounding],
        stacking=ruleset.stacking,
        multipliers=tuple(_compile_multiplier(each) for each in multipliers if numbered.multipliers & each.bit),
        limits=tuple(limits[limit_id] for limit_id in rule.limits),
        expiry=expiry,
        worths={},
        combined={},
        cuts={},
    )


def _compile_multiplier(numbered: NumberedMultiplier) -> CompiledMultiplier:
    rule = numbered.rule
    test = line_test(*rule.lines_asked())
    line_counts = line_function(test) if test else None
    return CompiledMultiplier(rule.id, numbered.bit, Fraction(rule.factor), f"{rule.factor:f}", line_counts)


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
        sums = _Sums()
        body = [*_head(ruleset, fact_type), *_taking(taking, sums)]
        gives_reason = any(each.rule.gives_reason for each in own)
        if gives_reason:
            body.append("reason = NO_RULE_MATCHED")
        for each in own:
            body += _rule(each, sums)
        body.append("return reason" if gives_reason else "return NO_RULE_MATCHED")
        parts.append("\n".join([f"def earn_{fact_type}(awards, account, fact, active):", *indented(body)]))
    return "\n\n\n".join(parts) + "\n"


class _Sums:
    """The statements that add up the lines that count for a rule, where its tests ask for that.

    What the statements before have added up already, in the same way, is not added up again.
    """

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def needed(self, rule: AnyRule) -> list[str]:
        """The statements for the tests of one rule."""
        test = line_test(*rule.lines_asked())
        statements: list[str] = []
        for name in sums_asked(rule.tests()):
            if self._known.get(name) != test:
                self._known[name] = test
                add = [f"{name} += line.{name}"]
                statements += [f"{name} = 0", "for line in lines:", *indented(_if([test] if test else [], add))]
        return statements


def _if(tests: Sequence[str], statements: list[str]) -> list[str]:
    """Statements under all of some tests."""
    return [f"if {' and '.join(tests)}:", *indented(statements)] if tests else statements


def _head(ruleset: Ruleset, fact_type: str) -> list[str]:
    """The statements before those of the rules: other currencies, settled claims, and lines that count."""
    in_currency = [f"if fact.currency != {ruleset.currency!r}:", "    return OTHER_CURRENCY"]
    if fact_type == "RefereePurchased":
        settled = ["if claim in account.claims_paid:", "    return CLAIM_ALREADY_PAID"]
        return ["claim = claim_key(fact.referee_id, fact.claim_rank)", *settled, *in_currency]
    if fact_type != "PurchaseRecorded":
        return []
    lines = lines_that_pass("lines", "fact.lines", line_test(None, ruleset.exclude_lines))
    return [*in_currency, *lines, "if not lines:", "    return NO_RULE_MATCHED"]


def _taking(multipliers: Sequence[NumberedMultiplier], sums: _Sums) -> list[str]:
    """The statements that work out `taking`, the sum of the bits of the multipliers that take part."""
    if not multipliers:
        return []
    by_time = sum(each.bit for each in multipliers if not each.rule.tests())
    statements = [f"taking = active & {by_time:#b}"]
    for each in multipliers:
        tests = [test.test for test in each.rule.tests()]
        if tests:
            in_time = [f"active & {each.bit:#b}"] if each.rule.active else []
            statements += sums.needed(each.rule)
            statements.append(f"if {' and '.join(in_time + tests)}:  # {each.rule.id}")
            statements.append(f"    taking |= {each.bit:#b}")
    return statements


def _rule(numbered: NumberedRule, sums: _Sums) -> list[str]:
    tests = [f"active & {numbered.time_bit:#b}"] if numbered.time_bit else []
    tests += [test.test for test in numbered.rule.tests()]
    statements = _if(tests, numbered.rule.source(numbered))
    return [f"# {numbered.rule.id}", *sums.needed(numbered.rule), *statements]
