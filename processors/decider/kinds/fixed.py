"""Rules of kind `fixed`: points for each event, or for each line or unit of a purchase."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from operator import attrgetter
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import Field

from processors.decider.fields.conditions import LineConditions, When
from processors.decider.fields.problems import Path, Problem
from processors.decider.fields.scalars import Exact, number_schema
from processors.decider.kinds.purchase_lines import discount_warnings, pay_by_line, pay_once
from processors.decider.kinds.rule import EarningRule, NumberedRule, Programme, when_schema
from processors.decider.points import Counted
from schemas.facts import FACT_KINDS, FactKind, FixedOn, PurchaseLine

MAX_POINTS: Final = 1_000_000

EventPoints = Annotated[Exact, Field(gt=0, le=MAX_POINTS), number_schema(exclusiveMinimum=0, maximum=MAX_POINTS)]


# What one line counts, for the rules that count by line: as an expression and as a function.
_OF_LINE: Final[dict[str, tuple[str, Callable[[PurchaseLine], int]]]] = {
    "line": ("1", lambda _: 1),
    "unit": ("line.quantity_milli", attrgetter("quantity_milli")),
}


class FixedRule(EarningRule):
    """`points` for each event, or for each line or unit of a purchase."""

    kind: Literal["fixed"]
    on: FixedOn = Field(description="The kind of fact that is paid.")
    points: EventPoints = Field(description="Points for each event, line or unit.")
    per: Literal["event", "line", "unit"] = Field(default="event", description="What is counted on a purchase.")
    when: When | None = Field(default=None, description="Conditions on the whole fact; all must hold.")
    lines: LineConditions | None = Field(default=None, description="Only lines that match count (purchases).")
    exclude_lines: LineConditions | None = Field(default=None, description="Lines that match do not count (purchases).")
    round_per: Literal["order", "line"] = Field(default="order", description="Round once per order, or every line.")

    def problems(self) -> list[Problem]:
        """Lines exist on purchases only, and rounding per line needs something counted by line."""
        given = self.model_fields_set
        if self.on != "purchase":
            hint = f"a {self.on} has no lines; delete"
            return [
                Problem((name,), f"`{name}` goes with `on: purchase` only", f"{hint} `{name}`")
                for name in ("per", "lines", "exclude_lines", "round_per")
                if name in given
            ]
        if self.per == "event" and "round_per" in given:
            hint = "write `per: line` or `per: unit`, or delete `round_per`"
            return [Problem(("round_per",), "`round_per` goes with rules counted by line", hint)]
        return []

    def warnings(self, path: Path, programme: Programme) -> Iterator[Problem]:
        """Points that rounding or a limit always reduces to nothing."""
        yield from super().warnings(path, programme)
        if self.when is not None and self.when.amount_minor is not None:
            yield from discount_warnings(path, self.lines_asked(), programme)
        if self.per != "event" or any(self in other.multiplied(programme.rules) for other in programme.rules):
            return
        if self.points < 1 and (self.rounding or programme.rounding) == "floor":
            hint = "write whole points, or another `rounding`"
            yield Problem((*path, "points"), f"{self.points} points are rounded down to 0 every time", hint)
        limits = {limit.id: limit for limit in programme.limits}
        for place, name in enumerate(self.limits):
            most = limits[name].points
            if most is not None and 0 < most < int(self.points) and limits[name].when_reached == "refuse":
                message = f"{self.points} points never fit into `{name}` ({most} at most), which refuses what does not"
                yield Problem((*path, "limits", place), message, "raise the limit, or let it pay the remainder")

    @classmethod
    def when_schemas(cls) -> list[dict[str, Any]]:
        """`when` may have the fields of the fact that is named in `on`."""
        return [
            {"if": {"properties": {"on": {"const": word}}, "required": ["on"]}, "then": when_schema(word)}
            for word in get_args(FixedOn)
        ]

    def fact(self) -> FactKind:
        """The kind that is named in `on`."""
        return FACT_KINDS[self.on]

    def counted(self) -> Counted:
        """The event, or each line, or thousandths of each unit."""
        points, text = Fraction(self.points), f"{self.points:f}"
        if self.per == "event":
            return Counted("event", points, text)
        _, of_line = _OF_LINE[self.per]
        by_line = self.round_per == "line"
        if self.per == "unit":
            return Counted("milli", points / 1000, f"{text}/1000", of_line, by_line)
        return Counted("line", points, text, of_line, by_line)

    def not_paid_for(self, lines: Sequence[PurchaseLine]) -> str:
        """Lines that take something off are not paid by event; by line or unit, nor are those of 0."""
        if self.per == "event":
            return "" if any(line.amount_minor >= 0 for line in lines) else "all lines that match have amounts below 0"
        return "" if any(line.amount_minor > 0 for line in lines) else "no line that matches has an amount above 0"

    def source(self, numbered: NumberedRule) -> list[str]:
        """Pays the event once, or what the lines add up to."""
        if self.on != "purchase":
            return [numbered.pay("1")]
        if self.per == "event":
            return pay_once(numbered, self.lines_asked())
        expression, _ = _OF_LINE[self.per]
        by_line = self.round_per == "line"
        return pay_by_line(numbered, self.lines_asked(), expression, round_per_line=by_line, above_zero=True)
