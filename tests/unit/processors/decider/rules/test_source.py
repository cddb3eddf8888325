"""The generated source of a ruleset asks what the rules say: compared with the same conditions read plainly."""

import inspect
from collections import Counter
from collections.abc import Iterator
from random import Random

import msgspec
import pytest

from processors.decider.fields.condition_source import line_test, number_test, text_test
from processors.decider.fields.conditions import LineConditions, NumberCondition, TextCondition
from processors.decider.kinds.multiplier import MultiplierRule
from processors.decider.local_time import Zone
from processors.decider.partition_machine import PartitionMachine
from processors.decider.points import MAX_CUTS_KEPT, MAX_WORTHS_KEPT
from processors.decider.rules.compile import CompiledRuleset, compile_published
from processors.decider.rules.explain_rules import consider
from processors.decider.rules.ruleset import Ruleset
from schemas.bounds import DAY_MS
from schemas.entry_ids import DERIVED_SOURCE
from schemas.facts import JournalOpened, MemberFact, PurchaseLine, PurchaseRecorded, RefereePurchased, RulesetPublished
from schemas.generated import define
from schemas.pages import JournalLine
from schemas.posting import Posting
from tests.property.histories import setting_of
from tests.support.deciders import load
from tests.support.random_facts import FactMaker
from tests.support.random_rulesets import tzif_of

OPENED = JournalOpened("random", 1, 1, 0, horizon_ms=10 * DAY_MS, referral_window_ms=DAY_MS)
SETTINGS = 25
FACTS_PER_RULESET = 40
AWKWARD = ("'", '"', "\\", "a\nb", "']; import os; ['", "{x}", "#", "é", "\u2028", "")


def some_facts(rng: Random, published: RulesetPublished, start: int) -> Iterator[tuple[str, MemberFact]]:
    """Random facts beside clock changes and midnights, each with its account; purchases are told to a referrer too."""
    facts = FactMaker(rng, tzif_of(published.timezone), start, "general", OPENED)
    for _ in range(FACTS_PER_RULESET):
        facts.step()
        fact = facts.fact()
        yield "ann", fact
        if isinstance(fact, PurchaseRecorded):
            yield "bob", told_to_referrer(rng, fact)


def told_to_referrer(rng: Random, fact: PurchaseRecorded) -> RefereePurchased:
    return RefereePurchased(
        DERIVED_SOURCE, f"told:{fact.event_id}", fact.occurred_at, "bob", "bob", "ann", rng.choice((1, 1, 2)),
        rng.choice((1, 2)), sum(line.amount_minor for line in fact.lines), fact.currency, fact.occurred_at, fact.source,
        fact.event_id,
    )  # fmt: skip


def decided(machine: PartitionMachine, member_id: str, fact: MemberFact) -> Posting:
    """What an account without any past is posted."""
    return machine.decide_line(JournalLine(fact, 0, member_id))


def disagreement(ruleset: Ruleset, zone: Zone, fact: MemberFact, posting: Posting) -> str:
    """How the posting differs from the plain reading of the conditions; empty where it does not."""
    multipliers = {rule.id: rule for rule in ruleset.rules if isinstance(rule, MultiplierRule)}
    taking = [each.rule_id for each in consider(ruleset, zone, fact) if each.takes_part]
    expected = [rule_id for rule_id in taking if rule_id not in multipliers]
    if [working.rule_id for working in posting.workings] != expected:
        return f"{[working.rule_id for working in posting.workings]} took part, not {expected}"
    for working in posting.workings:
        own = [
            rule_id
            for rule_id, rule in multipliers.items()
            if rule_id in taking and working.rule_id in {each.id for each in rule.multiplied(ruleset.rules)}
        ]
        multiplied = [factor.rule_id for factor in working.factors]
        # A multiplier that looks at lines may find none among those that this rule counts, or only free ones.
        if multiplied != own and (working.unit in ("event", "day") or not set(multiplied) <= set(own)):
            return f"{working.rule_id} was multiplied by {multiplied}, not {own}"
    return ""


def test_generated_source_agrees_with_conditions_read_plainly() -> None:
    seen: Counter[tuple[str, bool]] = Counter()
    for number in range(SETTINGS):
        setting, rng = setting_of(number), Random(number)
        for published in setting.versions:
            machine = PartitionMachine(OPENED, (), load)
            machine.feed(JournalLine(msgspec.structs.replace(published, effective_from=0), 0))
            ruleset, zone = load(published.text), Zone(published.timezone, published.tzif)
            for member_id, fact in some_facts(rng, published, setting.start):
                posting = decided(machine, member_id, fact)
                wrong = disagreement(ruleset, zone, fact, posting)
                assert not wrong, f"{wrong}\n{fact}\n{published.text}"
                seen[type(fact).__name__, bool(posting.workings)] += 1
                seen["multiplied", any(working.factors for working in posting.workings)] += 1
    for kind in ("PurchaseRecorded", "CheckedIn", "ContentShared", "ReviewSubmitted", "RefereePurchased"):
        assert seen[kind, True] > 10, kind
        assert seen[kind, False] > 10, kind
    assert seen["multiplied", True] > 50


@pytest.mark.parametrize("text", AWKWARD)
def test_texts_cannot_leave_their_quotes(text: str) -> None:
    others = tuple(other for other in AWKWARD if other != text)
    one, all_but_one = TextCondition(any_of=(text,)), TextCondition(not_in=others)
    names = define("texts", f"def one(value): return {text_test('value', one)}\n", {})
    names = define("texts", f"def but(value): return {text_test('value', all_but_one)}\n", names)
    assert [value for value in AWKWARD if names["one"](value)] == [text]
    assert [value for value in AWKWARD if names["but"](value)] == [text]


def test_values_that_are_wanted_and_unwanted_are_unwanted() -> None:
    source = text_test("value", TextCondition(any_of=("a", "b"), not_in=("b", "c")))
    assert source == "value == 'a'"
    assert text_test("value", TextCondition(any_of=("a",), not_in=("a",))) == "False"


@pytest.mark.parametrize(
    ("bounds", "holds"),
    [
        (NumberCondition(min=2), [2, 3, 4]),
        (NumberCondition(max=2), [0, 1, 2]),
        (NumberCondition(min=1, max=3), [1, 2, 3]),
    ],
)
def test_bounds_are_inclusive_and_what_is_missing_never_matches(bounds: NumberCondition, holds: list[int]) -> None:
    test = number_test("value", bounds, may_be_missing=True)
    names = define("numbers", f"def test(value): return {test}\n", {})
    assert [value for value in range(5) if names["test"](value)] == holds
    assert not names["test"](None)


def test_an_excluded_line_must_meet_all_that_excludes_it() -> None:
    excluded = LineConditions.model_validate({"category": ["food"], "amount_minor": {"min": 100}})
    names = define("lines", f"def test(line): return {line_test(None, excluded)}\n", {})
    dear, cheap = PurchaseLine("a", 100, category="food"), PurchaseLine("a", 99, category="food")
    assert [names["test"](line) for line in (dear, cheap)] == [False, True]


def compiled() -> CompiledRuleset:
    return compile_published(next(iter(setting_of(0).versions)), load)


def test_the_source_can_be_read_where_python_looks_for_it() -> None:
    rules = compiled()
    for kind, earn in rules.earning.items():
        source = inspect.getsource(earn)
        assert source.startswith(f"def earn_{kind}(")
        assert source.rstrip() in rules.source


def test_partitions_share_what_was_compiled() -> None:
    assert compiled() is compiled()


def test_what_is_kept_of_a_rule_is_bounded_and_changes_nothing() -> None:
    (rule, *_) = (
        rule for rules in compiled().rules_by_type.values() for rule in rules if rule.counted.of_line is not None
    )
    first = rule.worth(0, 1)
    for basis in range(MAX_WORTHS_KEPT + 10):
        _, working = rule.worth(0, basis)
        cut = rule.cut(working, 0, ("limit",))
        assert (cut.paid, cut.limit_ids, cut.basis) == (0, ("limit",), basis)
        assert len(rule.worths) <= MAX_WORTHS_KEPT
        assert len(rule.cuts) <= MAX_CUTS_KEPT
    assert rule.worth(0, 1) == first
