"""Rules of kind `spend`: points for every so many minor units of the lines that count."""

from collections.abc import Iterator
from fractions import Fraction
from operator import attrgetter
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from processors.decider.fields.conditions import LineConditions, When
from processors.decider.fields.problems import Path, Problem
from processors.decider.fields.scalars import Exact, Whole, number_schema
from processors.decider.kinds.purchase_lines import discount_warnings, pay_by_line
from processors.decider.kinds.rule import EarningRule, NumberedRule, Programme
from processors.decider.points import Counted

MAX_PER_MINOR: Final = 10**13
# A bound on points per minor unit keeps every sum inside an int64.
MAX_SPEND_RATE: Final = 10

SpendPoints = Annotated[Exact, Field(gt=0), number_schema(exclusiveMinimum=0)]


class SpendRule(EarningRule):
    """`points` for every `per_minor` minor units of the lines that count."""

    kind: Literal["spend"]
    points: SpendPoints = Field(description="Points for every `per_minor`.")
    per_minor: Annotated[Whole, Field(ge=1, le=MAX_PER_MINOR)] = Field(description="Minor units, such as cents.")
    when: When | None = Field(default=None, description="Conditions on the whole fact; all must hold.")
    lines: LineConditions | None = Field(default=None, description="Only lines that match count.")
    exclude_lines: LineConditions | None = Field(default=None, description="Lines that match do not count.")
    round_per: Literal["order", "line"] = Field(default="order", description="Round once per order, or every line.")

    counts: ClassVar[str] = "purchase"
    multiplied_by_default: ClassVar[bool] = True

    def problems(self) -> list[Problem]:
        """A rate beyond the bound."""
        if self.points <= self.per_minor * MAX_SPEND_RATE:
            return []
        hint = f"at most {MAX_SPEND_RATE} points per minor unit; one per 1.00 is `points: 1, per_minor: 100`"
        return [Problem(("points",), f"{self.points} points per {self.per_minor} minor units is too much", hint)]

    def warnings(self, path: Path, programme: Programme) -> Iterator[Problem]:
        """Lines that leave out discounts, where nothing worse is found."""
        found = list(super().warnings(path, programme))
        yield from found or discount_warnings(path, self.lines_asked(), programme)

    def counted(self) -> Counted:
        """The minor units of lines."""
        return Counted(
            unit="minor",
            rate=Fraction(self.points) / self.per_minor,
            rate_text=f"{self.points:f}/{self.per_minor}",
            of_line=attrgetter("amount_minor"),
            round_per_line=self.round_per == "line",
        )

    def source(self, numbered: NumberedRule) -> list[str]:
        """Pays what the amounts of the lines add up to."""
        asked = self.lines_asked()
        by_line = self.round_per == "line"
        return pay_by_line(numbered, asked, "line.amount_minor", round_per_line=by_line, above_zero=False)
