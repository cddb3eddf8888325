"""Says what a ruleset says, for comparing two: of each kind of fact and each rule, apart from what accounts hold."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import msgspec

from processors.decider.fields.expiry_and_limit import Limit
from processors.decider.kinds.multiplier import MultiplierRule
from processors.decider.kinds.rule import EarningRule
from processors.decider.partition_machine import Load
from processors.decider.rules.ruleset import Ruleset
from schemas.facts import RulesetPublished

MAX_TERMS_KEPT: Final = 256
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class Terms(msgspec.Struct, frozen=True):
    """All that a ruleset says: by rule, by the kinds of fact that rules count, and what holds of every fact.

    Two equal texts decide alike for accounts that are alike.
    """

    of_all: bytes
    of_rule: dict[str, bytes]
    of_kind: dict[str, bytes]

    def kind(self, fact_type: str) -> bytes:
        """What is said of a kind of fact, by the name of its type."""
        return self.of_kind.get(fact_type, self.of_all)


@lru_cache(MAX_TERMS_KEPT)
def terms_of(published: RulesetPublished, load: Load) -> Terms:
    """The terms of a publication; its version, name and examples are none."""
    ruleset = load(published.text)
    of_all = _encode([ruleset.currency, published.tzif.hex(), published.semantics])
    limits = {limit.id: limit for limit in ruleset.limits}
    of_rule: dict[str, bytes] = {}
    by_kind: dict[str, list[bytes]] = {}
    for rule in ruleset.rules:
        if isinstance(rule, EarningRule):
            of_rule[rule.id] = said = of_all + _of_rule(ruleset, rule, limits)
            by_kind.setdefault(rule.fact().counted.__name__, []).append(said)
    return Terms(of_all, of_rule, {kind: _encode([said.decode() for said in all_]) for kind, all_ in by_kind.items()})


def _of_rule(ruleset: Ruleset, rule: EarningRule, limits: dict[str, Limit]) -> bytes:
    """What decides the worth of one rule: itself, its defaults, its limits, and what multiplies it."""
    multipliers = [
        other.model_dump(mode="json")
        for other in ruleset.rules
        if isinstance(other, MultiplierRule) and rule in other.multiplied(ruleset.rules)
    ]
    said: list[Any] = [
        rule.model_dump(mode="json"),
        (rule.expiry or ruleset.expiry).model_dump(mode="json"),
        rule.rounding or ruleset.rounding,
        [limits[limit_id].model_dump(mode="json") for limit_id in rule.limits],
        multipliers,
        ruleset.stacking if len(multipliers) > 1 else None,
        None if ruleset.exclude_lines is None else ruleset.exclude_lines.model_dump(mode="json"),
    ]
    return _encode(said)
