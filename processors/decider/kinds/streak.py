"""Rules of kind `streak`: points for the run of local days with a check-in."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field

from processors.decider.fields.conditions import RulesetModel, When
from processors.decider.fields.problems import Path, Problem
from processors.decider.fields.scalars import Exact, Whole, number_schema
from processors.decider.kinds.rule import EarningRule, NumberedRule, Programme
from processors.decider.points import Counted
from schemas.posting import Reason

MAX_POINTS: Final = 1_000_000
MAX_STREAK_DAY: Final = 36_600
MAX_STREAK_STEPS: Final = 366
MAX_GRACE_DAYS: Final = 30

BonusPoints = Annotated[Exact, Field(ge=0, le=MAX_POINTS), number_schema(minimum=0, maximum=MAX_POINTS)]


class StreakStep(RulesetModel):
    """A bonus on the day when the run reaches a length."""

    day: Annotated[Whole, Field(ge=1, le=MAX_STREAK_DAY)] = Field(description="The length of the run in days.")
    bonus: BonusPoints = Field(description="Points on that day, beside `daily`.")


class StreakRule(EarningRule):
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

    counts: ClassVar[str] = "check_in"
    is_single: ClassVar[bool] = True
    gives_reason: ClassVar[bool] = True
    names: ClassVar[Mapping[str, Any]] = {"DAY_ALREADY_PAID": Reason.DAY_ALREADY_PAID}
    unpaid: ClassVar[str] = "its conditions hold, but an earlier check-in holds this local day already"

    def problems(self) -> list[Problem]:
        """The days of the steps rise, so that each length of the run has one bonus."""
        days = [step.day for step in self.steps]
        problems = [
            Problem(("steps", place, "day"), f"day {day} does not come after day {before}", "order the steps by day")
            for place, (before, day) in enumerate(pairwise(days), start=1)
            if day <= before
        ]
        if not days and "beyond" in self.model_fields_set:
            problems.append(Problem(("beyond",), "`beyond` needs `steps`", "write `steps`, or delete `beyond`"))
        return problems

    def warnings(self, path: Path, programme: Programme) -> Iterator[Problem]:
        """Runs that pay nothing, or that go on paying a bonus which may be meant once."""
        yield from super().warnings(path, programme)
        if self.daily == 0 and all(step.bonus == 0 for step in self.steps):
            message = f"the streak `{self.id}` pays nothing on any day"
            yield Problem(path, message, "write `daily`, or steps with a bonus")
            return
        if not self.steps or self.beyond != "hold":
            return
        last = self.steps[-1]
        if last.bonus == 0 and self.daily == 0:
            hint = "write `beyond: repeat` or `beyond: restart`, or give the last step a bonus"
            yield Problem((*path, "steps"), f"after day {last.day} of a run nothing is paid any more", hint)
        elif last.bonus > 0 and "beyond" not in self.model_fields_set:
            message = f"from day {last.day} on, every day pays the bonus of {last.bonus} again"
            hint = "write `beyond: hold` if that is meant, else `repeat` or `restart`"
            yield Problem((*path, "steps"), message, hint)

    def counted(self) -> Counted:
        """The day, which pays by the length of the run that ends on it."""
        return Counted("day", points_of=self.points_of_day)

    def points_of_day(self, run_length: int) -> Fraction:
        """Points for the n-th day of a run, before factors and rounding."""
        bonuses = {step.day: Fraction(step.bonus) for step in self.steps}
        n, last = run_length, max(bonuses, default=0)
        if last and n > last:
            if self.beyond == "hold":
                n = last
            elif self.beyond == "repeat":
                n = 0 if n % last else last
            else:
                n = (n - 1) % last + 1
        return Fraction(self.daily) + bonuses.get(n, Fraction(0))

    def source(self, numbered: NumberedRule) -> list[str]:
        """Holds the local day, and pays it if it was not held before."""
        return [
            f"held = awards.hold_day({self.grace_days})",
            "if held is None:",
            "    reason = DAY_ALREADY_PAID",
            "else:",
            f"    {numbered.pay('held.run_length', 'worth_of_event')}",
        ]
