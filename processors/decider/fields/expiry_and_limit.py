"""The expiries and limits that rules refer to, as they stand in a ruleset."""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from processors.decider.fields.conditions import RulesetModel
from processors.decider.fields.problems import Problem, refusal, refuse_all
from processors.decider.fields.scalars import Id, LocalDate, Whole

MAX_EXPIRY_DAYS: Final = 36_600
MAX_EXPIRY_MONTHS: Final = 1_200
MAX_LIMIT: Final = 10**18


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
    """How many points may be paid, or how many awards made, in a local calendar period or for an order."""

    id: Id = Field(description="The name that rules list, and under which the counter is kept across versions.")
    per: Literal["day", "week", "month", "year", "lifetime", "order"] = Field(
        description="The local calendar period; or each order by its order_id, under whatever event ids it comes."
    )
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
        if (self.points is None) == (self.times is None):
            message = f"the limit `{self.id}` counts either `points` or `times`"
            refuse_all([Problem((), message, "write exactly one of the two")])
        if self.per == "order" and self.each is not None:
            message = f"`each` goes with calendar periods; the limit `{self.id}` counts each order by itself"
            refuse_all([Problem(("each",), message, "delete `each`")])
        if self.times is not None and "when_reached" in self.model_fields_set:
            refuse_all([Problem(("when_reached",), "a `times` limit pays all or nothing", "delete `when_reached`")])
        return self
