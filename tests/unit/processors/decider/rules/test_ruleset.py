"""What the decider gets to see: one shape for every way of writing, exact numbers, local times, plain texts."""

from datetime import date, datetime, time
from decimal import Decimal
from typing import get_args

import pytest
from pydantic import ValidationError

from processors.decider.fields.condition_source import ORDER_SUMS
from processors.decider.fields.conditions import Active, Hours, NumberCondition, TextCondition
from processors.decider.fields.example import EXAMPLE_FACTS
from processors.decider.fields.expiry_and_limit import FixedExpiry, Limit, NoExpiry, RollingExpiry
from processors.decider.kinds.fixed import FixedRule
from processors.decider.kinds.multiplier import MultiplierRule
from processors.decider.kinds.referral import ReferralRule
from processors.decider.kinds.registry import RULE_KINDS
from processors.decider.kinds.rule import EarningRule
from processors.decider.kinds.spend import SpendRule
from processors.decider.kinds.streak import StreakRule, StreakStep
from processors.decider.rules.ruleset import Ruleset
from schemas.facts import FACT_KINDS, PUBLISHED_TYPES, FactKind, FixedOn, PublishedType, PurchaseRecorded
from tests.support.ruleset_documents import BASE, document, parsed


def test_conditions_have_one_shape() -> None:
    rule = parsed(
        document(
            "  - id: base\n    kind: spend\n    points: 1\n    per_minor: 100\n    when:\n"
            "      store_id: 330\n      channel: [web, app]\n      tender: {not_in: [cash]}\n"
            "      amount_minor: 5\n      quantity_milli: {min: 1000}\n"
            '      attributes: {tier: gold, gift: {not_in: [""]}}\n'
            "    lines: {amount_minor: {max: 9}, category: on}\n"
        )
    ).rules[0]
    assert isinstance(rule, SpendRule)
    assert rule.when is not None
    assert rule.lines is not None
    assert rule.when.asked() == ("store_id", "channel", "tender", "amount_minor", "quantity_milli", "attributes")
    assert rule.when.texts() == {
        "store_id": TextCondition(any_of=("330",)),
        "channel": TextCondition(any_of=("web", "app")),
        "tender": TextCondition(not_in=("cash",)),
    }
    assert rule.when.numbers() == {
        "amount_minor": NumberCondition(min=5, max=5),
        "quantity_milli": NumberCondition(min=1000),
    }
    assert rule.when.attributes == {"tier": TextCondition(any_of=("gold",)), "gift": TextCondition(not_in=("",))}
    assert rule.lines.numbers() == {"amount_minor": NumberCondition(max=9)}
    assert rule.lines.texts() == {"category": TextCondition(any_of=("on",))}


def test_times_are_local_and_days_are_numbers() -> None:
    rule = parsed(
        document(
            BASE + "  - id: campaign\n    kind: multiplier\n    factor: 2\n    active:\n      from: 2026-11-11\n"
            "      until: 2026-11-12T18:30\n      weekdays: [sunday, monday]\n      days_of_month: [1, 31]\n"
            "      dates: [02-29, 11-11]\n      hours: {from: 22:00, until: 06:00}\n"
        )
    ).rules[1]
    assert rule.active == Active(
        from_=datetime(2026, 11, 11),  # noqa: DTZ001 - a local time is naive
        until=datetime(2026, 11, 12, 18, 30),  # noqa: DTZ001 - a local time is naive
        weekdays=(6, 0),
        days_of_month=(1, 31),
        dates=((2, 29), (11, 11)),
        hours=Hours(from_=time(22), until=time(6)),
    )


@pytest.mark.parametrize("written", ["0.1", '"0.1"', "'0.1'"])
def test_decimals_are_exactly_as_written(written: str) -> None:
    rule = parsed(document(f"  - {{id: base, kind: spend, points: {written}, per_minor: 100}}\n")).rules[0]
    assert isinstance(rule, SpendRule)
    assert rule.points == Decimal("0.1")
    assert isinstance(rule.points, Decimal)


def test_a_binary_float_is_refused() -> None:
    with pytest.raises(ValidationError, match="a binary float"):
        SpendRule.model_validate({"id": "base", "kind": "spend", "points": 0.1, "per_minor": 100})
    with pytest.raises(ValidationError, match="a binary float"):
        SpendRule.model_validate({"id": "base", "kind": "spend", "points": "0.1", "per_minor": 100.0})


@pytest.mark.parametrize(
    ("written", "read"), [("2026.10", "2026.10"), ("1e3", "1e3"), ("0x1F", "0x1F"), ("on", "on"), ("no", "no")]
)
def test_texts_are_what_stands_in_the_file(written: str, read: str) -> None:
    ruleset = parsed(document().replace('version: "1"', f"version: {written}"))
    assert ruleset.version == read


def test_what_is_not_written_has_its_documented_default() -> None:
    ruleset = parsed(
        document(
            BASE + "  - {id: hello, kind: fixed, on: purchase, points: 2}\n"
            "  - {id: visits, kind: streak, steps: [{day: 7, bonus: 1.5}]}\n"
            "  - {id: friends, kind: referral, referrer_points: 5, referee_points: 0}\n"
            "  - {id: double, kind: multiplier, factor: 2}\n",
            before="limits:\n  - {id: daily, per: day, points: 5}\n",
        )
    )
    assert (ruleset.rounding, ruleset.stacking, ruleset.expiry) == ("floor", "multiply", NoExpiry(kind="none"))
    assert ruleset.exclude_lines is None
    assert ruleset.limits == (Limit(id="daily", per="day", points=5, times=None, each=None, when_reached="remainder"),)
    base, hello, visits, friends, double = ruleset.rules
    assert isinstance(base, SpendRule)
    assert (base.rounding, base.expiry, base.limits, base.round_per) == (None, None, (), "order")
    assert isinstance(hello, FixedRule)
    assert (hello.per, hello.round_per) == ("event", "order")
    assert isinstance(visits, StreakRule)
    assert (visits.daily, visits.beyond, visits.grace_days) == (Decimal(0), "hold", 0)
    assert visits.steps == (StreakStep(day=7, bonus=Decimal("1.5")),)
    assert isinstance(friends, ReferralRule)
    assert (friends.min_amount_minor, friends.claim_ranks, friends.new_members) == (0, (1,), False)
    assert isinstance(double, MultiplierRule)
    assert double.applies_to is None
    assert double.multiplied(ruleset.rules) == [base]


@pytest.mark.parametrize(
    ("written", "expiry"),
    [
        ("{kind: none}", NoExpiry(kind="none")),
        ("{kind: fixed, on: 2027-01-31}", FixedExpiry(kind="fixed", on=date(2027, 1, 31))),
        ("{kind: rolling, days: 0}", RollingExpiry(kind="rolling", days=0, round_up_to="day")),
        (
            "{kind: rolling, months: 6, round_up_to: quarter}",
            RollingExpiry(kind="rolling", months=6, round_up_to="quarter"),
        ),
    ],
)
def test_expiry(written: str, expiry: object) -> None:
    assert parsed(document(before=f"expiry: {written}\n")).expiry == expiry


def test_rulesets_are_frozen() -> None:
    ruleset = parsed(document())
    with pytest.raises(ValidationError, match="frozen"):
        ruleset.version = "2"


def test_the_models_check_themselves_without_any_yaml() -> None:
    data = {"programme": "x", "version": "1", "timezone": "UTC", "currency": "EUR"}
    rules = [{"id": "base", "kind": "spend", "points": 1, "per_minor": 100, "limits": ["none"]}]
    with pytest.raises(ValidationError, match="there is no limit `none`"):
        Ruleset.model_validate({**data, "rules": rules})


def test_the_python_name_of_a_key_is_not_taken_from_a_file() -> None:
    text = document(BASE + "  - {id: m, kind: multiplier, factor: 2, active: {from_: 2026-01-01}}\n")
    with pytest.raises(Exception, match="`from_` is not known here; did you mean `from`"):
        parsed(text)


def test_every_published_fact_has_one_kind_one_topic_and_an_example_in_rulesets() -> None:
    assert [kind.__name__ for kind in PUBLISHED_TYPES] == list(get_args(PublishedType))
    assert len({kind.topic for kind in FACT_KINDS.values()}) == len(FACT_KINDS) == len(PUBLISHED_TYPES)
    assert list(EXAMPLE_FACTS) == [*FACT_KINDS, "tick"]


@pytest.mark.parametrize("kind", FACT_KINDS.values(), ids=lambda kind: kind.word)
def test_when_asks_for_fields_that_the_fact_has(kind: FactKind) -> None:
    sums = set(ORDER_SUMS) if kind.fact is PurchaseRecorded else set()
    assert set(kind.when_fields) - sums <= set(kind.counted.__struct_fields__)


def test_a_fixed_rule_may_be_on_every_fact_that_is_paid_for_itself() -> None:
    assert list(get_args(FixedOn)) == [word for word, kind in FACT_KINDS.items() if kind.counted is kind.fact]


def test_every_kind_of_rule_stands_in_a_file_of_its_name() -> None:
    for name, kind in RULE_KINDS.items():
        assert kind.__module__ == f"processors.decider.kinds.{name}"
    assert [name for name, kind in RULE_KINDS.items() if not issubclass(kind, EarningRule)] == ["multiplier"]
