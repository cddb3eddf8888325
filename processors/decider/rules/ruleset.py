"""A programme's rules as frozen data: what docs/rules.md specifies, checked, in one shape for the decider.

Field names are those of the YAML file (`from` is `from_`). Decimals are exact; times are naive and local; every
refusal carries the path of what is wrong. No file, format or zone data is touched here.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from processors.decider.rules.checks import (
    check_examples,
    check_fixed,
    check_limit,
    check_rate,
    check_rules,
    check_steps,
)
from processors.decider.rules.conditions import (
    Active,
    Hours,
    LineConditions,
    NumberCondition,
    RulesetModel,
    TextCondition,
    When,
)
from processors.decider.rules.example import Example
from processors.decider.rules.scalars import (
    Exact,
    Flag,
    Id,
    LocalDate,
    Problem,
    Version,
    Whole,
    first_repeated,
    number_schema,
    refusal,
    refuse_all,
)
from schemas.currencies import is_currency

__all__ = [
    "Active",
    "EarningRule",
    "Expiry",
    "FixedExpiry",
    "FixedRule",
    "Hours",
    "Limit",
    "LineConditions",
    "MultiplierRule",
    "NoExpiry",
    "NumberCondition",
    "ReferralRule",
    "RollingExpiry",
    "Rounding",
    "Rule",
    "Ruleset",
    "SpendRule",
    "StreakRule",
    "StreakStep",
    "TextCondition",
    "When",
]

MAX_RULES: Final = 200
MAX_LIMITS: Final = 200
MAX_EXAMPLES: Final = 200
MAX_POINTS: Final = 1_000_000
MAX_FACTOR: Final = 100
MAX_PER_MINOR: Final = 10**13
MAX_STREAK_DAY: Final = 36_600
MAX_STREAK_STEPS: Final = 366
MAX_GRACE_DAYS: Final = 30
MAX_EXPIRY_DAYS: Final = 36_600
MAX_EXPIRY_MONTHS: Final = 1_200
MAX_CLAIM_RANK: Final = 1_000_000
MAX_LIMIT: Final = 10**18

Rounding = Literal["floor", "ceil", "half_up", "half_even"]
SpendPoints = Annotated[Exact, Field(gt=0), number_schema(exclusiveMinimum=0)]
EventPoints = Annotated[Exact, Field(gt=0, le=MAX_POINTS), number_schema(exclusiveMinimum=0, maximum=MAX_POINTS)]
BonusPoints = Annotated[Exact, Field(ge=0, le=MAX_POINTS), number_schema(minimum=0, maximum=MAX_POINTS)]
Times = Annotated[Exact, Field(ge=0, le=MAX_FACTOR), number_schema(minimum=0, maximum=MAX_FACTOR)]


class NoExpiry(RulesetModel):
    """Points never expire."""

    kind: Literal["none"]


class FixedExpiry(RulesetModel):
    """All points expire at the end of the local day `on`."""

    kind: Literal["fixed"]
    on: LocalDate = Field(description="The last local day on which the points can be used.")


class RollingExpiry(RulesetModel):
    """Points expire `days` or `months` after they were earned, at the end of the day, month, quarter or year."""

    kind: Literal["rolling"]
    days: Annotated[Whole, Field(ge=0, le=MAX_EXPIRY_DAYS)] | None = Field(
        default=None, description="Days after the fact."
    )
    months: Annotated[Whole, Field(ge=0, le=MAX_EXPIRY_MONTHS)] | None = Field(
        default=None, description="Calendar months after the fact."
    )
    round_up_to: Literal["day", "month", "quarter", "year"] = Field(
        default="day", description="The last day is moved to the end of its day, month, quarter or year."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.days is None) == (self.months is None):
            raise refusal("a rolling expiry has either `days` or `months`", "write exactly one of the two")
        return self


Expiry = Annotated[NoExpiry | FixedExpiry | RollingExpiry, Field(discriminator="kind")]


class Limit(RulesetModel):
    """How many points may be paid, or how many awards made, in a local calendar period."""

    id: Id = Field(description="The name that rules list, and under which the counter is kept across versions.")
    per: Literal["day", "week", "month", "year", "lifetime"] = Field(description="The local calendar period.")
    points: Annotated[Whole, Field(ge=0, le=MAX_LIMIT)] | None = Field(
        default=None, description="Points that may be paid."
    )
    times: Annotated[Whole, Field(ge=0, le=MAX_LIMIT)] | None = Field(
        default=None, description="Awards that may be made."
    )
    each: Literal["sku", "store_id"] | None = Field(default=None, description="A counter of its own for every value.")
    when_reached: Literal["remainder", "refuse"] = Field(
        default="remainder", description="Pay what room is left, or nothing unless the whole fits (points limits only)."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse_all(check_limit(self))
        return self


class _Rule(RulesetModel):
    id: Id = Field(description="The rule's name in statements and explanations; unique in the file.")
    active: Active | None = Field(default=None, description="When the rule is active; without it, always.")


class _EarningRule(_Rule):
    rounding: Rounding | None = Field(
        default=None, description="How points are rounded; the programme's rounding by default."
    )
    expiry: Expiry | None = Field(
        default=None, description="When these points expire; the programme's expiry by default."
    )
    limits: tuple[Id, ...] = Field(
        default=(), max_length=MAX_LIMITS, description="Limits that cut this rule, in order."
    )

    @field_validator("limits")
    @classmethod
    def _limits_once(cls, limits: tuple[str, ...]) -> tuple[str, ...]:
        refuse_all(_repeated(limits, "the limit"))
        return limits


class SpendRule(_EarningRule):
    """`points` for every `per_minor` minor units of the lines that count."""

    kind: Literal["spend"]
    points: SpendPoints = Field(description="Points for every `per_minor`.")
    per_minor: Annotated[Whole, Field(ge=1, le=MAX_PER_MINOR)] = Field(description="Minor units, such as cents.")
    when: When | None = Field(default=None, description="Conditions on the whole fact; all must hold.")
    lines: LineConditions | None = Field(default=None, description="Only lines that match count.")
    exclude_lines: LineConditions | None = Field(default=None, description="Lines that match do not count.")
    round_per: Literal["order", "line"] = Field(default="order", description="Round once per order, or every line.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse_all(check_rate(self))
        return self


class FixedRule(_EarningRule):
    """`points` for each event, or for each line or unit of a purchase."""

    kind: Literal["fixed"]
    on: Literal["purchase", "check_in", "share", "review"] = Field(description="The kind of fact that is paid.")
    points: EventPoints = Field(description="Points for each event, line or unit.")
    per: Literal["event", "line", "unit"] = Field(default="event", description="What is counted on a purchase.")
    when: When | None = Field(default=None, description="Conditions on the whole fact; all must hold.")
    lines: LineConditions | None = Field(default=None, description="Only lines that match count (purchases).")
    exclude_lines: LineConditions | None = Field(default=None, description="Lines that match do not count (purchases).")
    round_per: Literal["order", "line"] = Field(default="order", description="Round once per order, or every line.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse_all(check_fixed(self))
        return self


class StreakStep(RulesetModel):
    """A bonus on the day when the run reaches a length."""

    day: Annotated[Whole, Field(ge=1, le=MAX_STREAK_DAY)] = Field(description="The length of the run in days.")
    bonus: BonusPoints = Field(description="Points on that day, beside `daily`.")


class StreakRule(_EarningRule):
    """Pays the run of local days with a check-in."""

    kind: Literal["streak"]
    daily: BonusPoints = Field(default=Decimal(0), description="Points on every day of the run.")
    steps: tuple[StreakStep, ...] = Field(
        default=(), max_length=MAX_STREAK_STEPS, description="Bonuses by length of the run."
    )
    beyond: Literal["hold", "repeat", "restart"] = Field(default="hold", description="What follows the last step.")
    grace_days: Annotated[Whole, Field(ge=0, le=MAX_GRACE_DAYS)] = Field(
        default=0, description="Missed days in one gap that do not end the run."
    )
    when: When | None = Field(default=None, description="Conditions on the whole fact; all must hold.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse_all(check_steps(self))
        return self


class ReferralRule(_EarningRule):
    """Pays referrer and referee once, on a purchase of the referee inside a claim."""

    kind: Literal["referral"]
    referrer_points: Annotated[Whole, Field(ge=0, le=MAX_POINTS)] = Field(description="Points for the referrer.")
    referee_points: Annotated[Whole, Field(ge=0, le=MAX_POINTS)] = Field(description="Points for the referee.")
    min_amount_minor: Annotated[Whole, Field(ge=0, le=MAX_LIMIT)] = Field(
        default=0, description="The order's least total."
    )
    claim_ranks: Annotated[tuple[Annotated[Whole, Field(ge=1, le=MAX_CLAIM_RANK)], ...], Field(min_length=1)] = Field(
        default=(1,), description="Which claims on a referee are paid, counted in the referee's journal order."
    )
    new_members: Flag = Field(default=False, description="Pay only on the referee's first purchase ever.")

    @field_validator("claim_ranks")
    @classmethod
    def _ranks_once(cls, ranks: tuple[int, ...]) -> tuple[int, ...]:
        refuse_all(_repeated(ranks, "the rank"))
        return ranks


class MultiplierRule(_Rule):
    """Makes other rules pay more, or less; pays nothing itself."""

    kind: Literal["multiplier"]
    factor: Times = Field(description="How many times as much.")
    applies_to: tuple[Id, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_RULES,
        description="Rules it multiplies; every `spend` rule by default.",
    )
    when: When | None = Field(default=None, description="Conditions on the whole fact; all must hold.")
    lines: LineConditions | None = Field(default=None, description="Only lines that match are multiplied.")
    exclude_lines: LineConditions | None = Field(default=None, description="Lines that match are not multiplied.")

    @field_validator("applies_to")
    @classmethod
    def _rules_once(cls, rules: tuple[str, ...] | None) -> tuple[str, ...] | None:
        refuse_all(_repeated(rules or (), "the rule"))
        return rules


EarningRule = SpendRule | FixedRule | StreakRule | ReferralRule
Rule = Annotated[EarningRule | MultiplierRule, Field(discriminator="kind")]


class Ruleset(RulesetModel):
    """One version of a programme's rules."""

    programme: Id = Field(description="The programme's name; also the name of the folder of this file.")
    version: Version = Field(
        description="The version's name; also the name of this file. Never changed once published."
    )
    timezone: Annotated[str, StringConstraints(min_length=1, max_length=64)] = Field(
        description="IANA name, such as Europe/Berlin; every date and hour in the file is local to it."
    )
    currency: str = Field(description="ISO 4217; purchases in another currency earn nothing.")
    rounding: Rounding = Field(default="floor", description="Default of all rules.")
    stacking: Literal["multiply", "add", "best"] = Field(
        default="multiply", description="How several multipliers combine."
    )
    expiry: Expiry = Field(
        default=NoExpiry(kind="none"), description="Default of all rules; without it points never expire."
    )
    exclude_lines: LineConditions | None = Field(default=None, description="Lines that no purchase rule counts.")
    limits: tuple[Limit, ...] = Field(default=(), max_length=MAX_LIMITS, description="Limits that rules may list.")
    rules: tuple[Rule, ...] = Field(min_length=1, max_length=MAX_RULES, description="What earns points, in order.")
    examples: tuple[Example, ...] = Field(
        default=(), max_length=MAX_EXAMPLES, description="Facts in, entries out; run by `rules check`."
    )

    @field_validator("currency")
    @classmethod
    def _known_currency(cls, currency: str) -> str:
        if not is_currency(currency):
            raise refusal(
                f"`{currency[:20]}` is not an ISO 4217 currency", "write its three letters, such as EUR or USD"
            )
        return currency

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse_all(check_rules(self.rules, self.limits) + check_examples(self.examples, self.rules))
        return self

    def multiplied(self, multiplier: MultiplierRule) -> tuple[str, ...]:
        """The ids of the rules that a multiplier applies to: those it names, else every spend rule."""
        if multiplier.applies_to is not None:
            return multiplier.applies_to
        return tuple(rule.id for rule in self.rules if isinstance(rule, SpendRule))


def _repeated(values: tuple[Any, ...], what: str) -> list[Problem]:
    position = first_repeated(values)
    if position is None:
        return []
    return [Problem((position,), f"{what} `{values[position]}` is listed twice", "delete one")]
