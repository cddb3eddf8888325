"""Whatever a ruleset may say of a kind of fact or rule, every room knows."""

from typing import get_args

import pytest

from processors.decider.fields.condition_tests import ORDER_SUMS
from processors.decider.fields.example import EXAMPLE_FACTS
from processors.decider.kinds.registry import RULE_KINDS
from processors.decider.kinds.rule import EarningRule
from schemas.facts import FACT_KINDS, PUBLISHED_TYPES, FactKind, FixedOn, PublishedType, PurchaseRecorded


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
