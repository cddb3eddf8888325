"""Writes a ruleset as Python source, one function per kind of fact: what a fact asks of every rule stands in a line.

The source of a ruleset is the fastest to run and the easiest to check against the file: rules in their order, each
under its name, its conditions as Python has them. A test compares it with the same conditions as closures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from processors.decider.rules.condition_source import lines_source, sums_asked, when_source
from processors.decider.rules.ruleset import (
    EarningRule,
    FixedRule,
    MultiplierRule,
    ReferralRule,
    Ruleset,
    SpendRule,
    StreakRule,
)

_KINDS = {
    "purchase": "PurchaseRecorded",
    "check_in": "CheckedIn",
    "share": "ContentShared",
    "review": "ReviewSubmitted",
}
# Facts about which something is said even where no rule counts them: another currency, a claim that is settled.
_ALWAYS = ("PurchaseRecorded", "RefereePurchased")
# What counts of a line, by what a rule is paid for; nothing for a rule that counts the fact as one event.
_BASIS = {"minor": "line.amount_minor", "milli": "line.quantity_milli", "line": "1"}


@dataclass(frozen=True)
class NumberedRule:
    """An earning rule with its place in the file and the bits of the multipliers that it has.

    `time_bit` is set in `active` while the rule is active; 0 for a rule that always is. `by_line` are the multipliers
    that look at lines.
    """

    number: int
    rule: EarningRule
    time_bit: int
    multipliers: int
    by_line: int
    unit: str


@dataclass(frozen=True)
class NumberedMultiplier:
    """A multiplier with its bit, the kinds of fact it can take part in, and whether time alone decides that."""

    rule: MultiplierRule
    bit: int
    kinds: frozenset[str]


def kind_of(rule: EarningRule) -> str:
    """The type name of the facts that a rule counts."""
    if isinstance(rule, FixedRule):
        return _KINDS[rule.on]
    if isinstance(rule, SpendRule):
        return "PurchaseRecorded"
    return "CheckedIn" if isinstance(rule, StreakRule) else "RefereePurchased"


def kinds_of(rules: Sequence[NumberedRule]) -> list[str]:
    """The type names of the facts that have a function of their own."""
    return list(dict.fromkeys((*_ALWAYS, *(kind_of(each.rule) for each in rules))))


def ruleset_source(ruleset: Ruleset, rules: Sequence[NumberedRule], multipliers: Sequence[NumberedMultiplier]) -> str:
    """The source of `earn_<kind>(awards, account, fact, active)` for every kind of fact in `kinds_of`.

    Each function has the awards pay every rule that takes part, and says why nothing would be paid if none does.
    `active` is the sum of the time bits. The names `rule_<n>`, `worth_<n>` and the reasons are for the caller to give.
    """
    parts = [f"# {ruleset.programme} {ruleset.version}"]
    for kind in kinds_of(rules):
        of_kind = [each for each in rules if kind_of(each.rule) == kind]
        taking = [each for each in multipliers if kind in each.kinds]
        parts.append("\n".join(_KindSource(ruleset, kind, of_kind, taking).lines))
    return "\n\n\n".join(parts) + "\n"


class _KindSource:
    """The source of one function."""

    def __init__(
        self, ruleset: Ruleset, kind: str, rules: list[NumberedRule], multipliers: list[NumberedMultiplier]
    ) -> None:
        self.lines = [f"def earn_{kind}(awards, account, fact, active):"]
        self._rules = rules
        self._multipliers = multipliers
        if kind == "PurchaseRecorded":
            self._currency(ruleset)
            self._purchase(ruleset)
        elif kind == "RefereePurchased":
            self._claim()
            self._currency(ruleset)
        elif kind == "CheckedIn":
            self._line(1, "reason = NO_RULE_MATCHED")
        self._taking()
        for each in rules:
            self._rule(each)
        self._line(1, "return reason" if kind == "CheckedIn" else "return NO_RULE_MATCHED")

    def _line(self, depth: int, *lines: str) -> None:
        self.lines += ["    " * depth + line for line in lines]

    def _currency(self, ruleset: Ruleset) -> None:
        self._line(1, f"if fact.currency != {ruleset.currency!r}:", "    return OTHER_CURRENCY")

    def _claim(self) -> None:
        self._line(1, "claim = claim_key(fact.referee_id, fact.claim_rank)")
        self._line(1, "if claim in account.claims_paid:", "    return CLAIM_ALREADY_PAID")

    def _purchase(self, ruleset: Ruleset) -> None:
        excluded = lines_source(None, ruleset.exclude_lines)
        self._counted(1, "lines", "fact.lines", excluded)
        self._line(1, "if not lines:", "    return NO_RULE_MATCHED")
        asking = [each.rule.when for each in self._rules if isinstance(each.rule, SpendRule | FixedRule)]
        asking += [each.rule.when for each in self._multipliers]
        for name in sorted({name for when in asking for name in sums_asked(when)}):
            self._line(1, f"{name} = 0", "for line in fact.lines:", f"    {name} += line.{name}")

    def _counted(self, depth: int, name: str, lines: str, test: str) -> None:
        """The lines that pass a test, in a loop: for the few lines of an order that is faster than a comprehension."""
        if not test:
            self._line(depth, f"{name} = {lines}")
            return
        self._line(depth, f"{name} = []", f"for line in {lines}:", f"    if {test}:", f"        {name}.append(line)")

    def _taking(self) -> None:
        """`taking` is the sum of the bits of the multipliers that take part."""
        if not self._multipliers:
            return
        by_time = sum(each.bit for each in self._multipliers if not each.rule.when)
        self._line(1, f"taking = active & {by_time:#b}")
        for each in self._multipliers:
            if each.rule.when:
                tests = [f"active & {each.bit:#b}"] if each.rule.active else []
                self._line(1, f"if {' and '.join(tests + when_source(each.rule.when))}:  # {each.rule.id}")
                self._line(2, f"taking |= {each.bit:#b}")

    def _rule(self, each: NumberedRule) -> None:
        rule, depth = each.rule, 1
        self._line(1, f"# {rule.id}")
        tests = [f"active & {each.time_bit:#b}"] if each.time_bit else []
        tests += _referral_tests(rule) if isinstance(rule, ReferralRule) else when_source(rule.when)
        if tests:
            self._line(1, f"if {' and '.join(tests)}:")
            depth = 2
        if isinstance(rule, StreakRule):
            self._line(depth, f"held = awards.hold_day({rule.grace_days})")
            self._line(depth, "if held is None:", "    reason = DAY_ALREADY_PAID", "else:")
            self._pay(each, depth + 1, "held.run_length", "worth_of_run")
        elif isinstance(rule, ReferralRule):
            referrer, referee = rule.referrer_points, rule.referee_points
            self._line(depth, "awards.claim_paid = claim")
            self._line(depth, f"points = {referrer} if account.member_id == fact.referrer_id else {referee}")
            self._pay(each, depth, "points", "worth_of_points")
        elif isinstance(rule, FixedRule) and rule.on != "purchase":
            self._pay(each, depth, "1")
        elif each.unit in _BASIS:
            self._by_line(each, rule, depth)
        else:
            self._once(each, rule, depth)

    def _pay(self, each: NumberedRule, depth: int, basis: str, worth: str = "worth") -> None:
        """A worth that was met before is looked up, without a call."""
        n, taking = each.number, self._hit(each)
        self._line(
            depth, f"awards.pay(rule_{n}, worths_{n}.get(({taking}, {basis})) or rule_{n}.{worth}({taking}, {basis}))"
        )

    def _hit(self, each: NumberedRule) -> str:
        return f"taking & {each.multipliers:#b}" if each.multipliers else "0"

    def _once(self, each: NumberedRule, rule: SpendRule | FixedRule, depth: int) -> None:
        """A rule that is paid once if some line counts."""
        counts = lines_source(rule.lines, rule.exclude_lines)
        if not counts:
            self._pay(each, depth, "1")
            return
        self._line(depth, "for line in lines:", f"    if {counts}:")
        self._pay(each, depth + 2, "1")
        self._line(depth + 2, "break")

    def _by_line(self, each: NumberedRule, rule: SpendRule | FixedRule, depth: int) -> None:
        """A rule that is paid for what the lines add up to: line by line only where they are not all treated alike."""
        counts = lines_source(rule.lines, rule.exclude_lines)
        lines = "lines"
        if counts:
            lines = "counted"
            self._counted(depth, "counted", "lines", counts)
            self._line(depth, "if counted:")
            depth += 1
        apart = f"awards.pay(rule_{each.number}, worth_of_lines(rule_{each.number}, {lines}, {self._hit(each)}))"
        if rule.round_per == "line":
            self._line(depth, apart)
            return
        if each.by_line:
            self._line(depth, f"if taking & {each.by_line:#b}:", f"    {apart}", "else:")
            depth += 1
        self._line(depth, "basis = 0", f"for line in {lines}:", f"    basis += {_BASIS[each.unit]}")
        self._pay(each, depth, "basis")


def _referral_tests(rule: ReferralRule) -> list[str]:
    tests = [f"fact.claim_rank in {{{', '.join(map(str, rule.claim_ranks))}}}"]
    if rule.min_amount_minor:
        tests.append(f"fact.amount_minor >= {rule.min_amount_minor}")
    if rule.new_members:
        tests.append("fact.purchase_rank == 1")
    return tests
