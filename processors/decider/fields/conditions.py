"""The conditions of a rule on the fact, on a purchase's lines and on local time, normalised to one shape."""

from datetime import date
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from processors.decider.fields.problems import Problem, first_repeated, refusal, refuse_all
from processors.decider.fields.scalars import Hour, LocalDateTime, MonthDay, Text, Weekday, Whole, count

MAX_VALUES: Final = 1_000
MAX_ATTRIBUTES: Final = 32
MINUTES_A_DAY: Final = 24 * 60


class RulesetModel(BaseModel):
    """Frozen, and closed: a key that is not known here is an error, never ignored."""

    # Only the model that is asked to check builds its validator, which holds those of all models within it.
    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True, defer_build=True
    )


class TextCondition(RulesetModel):
    """A text is one of `any_of` (None: any) and none of `not_in` (None: no text is excluded)."""

    any_of: Annotated[tuple[Text, ...], Field(min_length=1, max_length=MAX_VALUES)] | None = None
    not_in: Annotated[tuple[Text, ...], Field(min_length=1, max_length=MAX_VALUES)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems: list[Problem] = []
        for name, values in (("any_of", self.any_of), ("not_in", self.not_in)):
            position = first_repeated(values or ())
            if values is not None and position is not None:
                problems.append(Problem((name, position), f"`{values[position]}` is listed twice", "delete one"))
        if self.any_of is None and self.not_in is None:
            problems.append(Problem((), "the condition says nothing", "write a value, a list, or {not_in: [...]}"))
        refuse_all(problems)
        return self

    def wanted(self) -> frozenset[str] | None:
        """The texts that match; None where all match but those of `not_in`."""
        return None if self.any_of is None else frozenset(self.any_of) - frozenset(self.not_in or ())

    def __str__(self) -> str:
        """What it asks for, as messages say it."""
        parts = [] if self.any_of is None else [f"one of {_listed(self.any_of)}"]
        parts += [] if self.not_in is None else [f"none of {_listed(self.not_in)}"]
        return " and ".join(parts)


class NumberCondition(RulesetModel):
    """A number is at least `min` and at most `max` (None: no bound); one value is both."""

    min: Annotated[int, BeforeValidator(count)] | None = None
    max: Annotated[int, BeforeValidator(count)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.min is None and self.max is None:
            raise refusal("the condition says nothing", "write a number, or {min: ..., max: ...}")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise refusal(f"min {self.min} is greater than max {self.max}", "no number is both; exchange them")
        return self

    def __str__(self) -> str:
        """What it asks for, as messages say it."""
        if self.min == self.max:
            return str(self.min)
        parts = [f"at least {self.min}"] if self.min is not None else []
        parts += [f"at most {self.max}"] if self.max is not None else []
        return " and ".join(parts)


def _listed(values: tuple[str, ...], bound: int = 5) -> str:
    shown = ", ".join(repr(value) for value in values[:bound])
    return f"{shown} and {len(values) - bound} more" if len(values) > bound else shown


def _text_condition(value: Any) -> Any:
    """One value or a list becomes `any_of`; a mapping may hold `not_in` alone."""
    if isinstance(value, str):
        return {"any_of": (value,)}
    if isinstance(value, list | tuple):
        return {"any_of": value}
    if isinstance(value, dict):
        if "any_of" in value:
            raise refusal("`any_of` is not written", "write the list itself, such as [GROCERY, PRODUCE]")
        return value
    if isinstance(value, TextCondition):
        return value
    raise refusal("this is not a condition on a text", "write one value, a list of values, or {not_in: [...]}")


def _number_condition(value: Any) -> Any:
    """One number becomes both bounds."""
    if isinstance(value, dict | NumberCondition):
        return value
    if isinstance(value, list | tuple):
        raise refusal("a number has no list of values", "write one number, or {min: ..., max: ...}")
    number = count(value)
    return {"min": number, "max": number}


_TEXTS_SCHEMA: Final = {"type": "array", "items": {"type": ["string", "number", "boolean"]}, "minItems": 1}
TextAsked = Annotated[
    TextCondition,
    BeforeValidator(_text_condition),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": ["string", "number", "boolean"]},
                _TEXTS_SCHEMA,
                {
                    "type": "object",
                    "properties": {"not_in": _TEXTS_SCHEMA},
                    "required": ["not_in"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
NumberAsked = Annotated[
    NumberCondition,
    BeforeValidator(_number_condition),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {
                    "type": "object",
                    "properties": {"min": {"type": "integer", "minimum": 0}, "max": {"type": "integer", "minimum": 0}},
                    "minProperties": 1,
                    "additionalProperties": False,
                },
            ]
        }
    ),
]


class _Conditions(RulesetModel):
    """Conditions by field name; all that are given must hold, and at least one is given."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.asked():
            raise refusal("there is no condition in it", "delete it, or write a condition")
        return self

    def asked(self) -> tuple[str, ...]:
        """The names of the fields that are asked for, in declared order."""
        return tuple(name for name in type(self).model_fields if getattr(self, name))

    def texts(self) -> dict[str, TextCondition]:
        """The conditions on texts (attributes apart), by field name."""
        return {name: test for name in self.asked() if isinstance(test := getattr(self, name), TextCondition)}

    def numbers(self) -> dict[str, NumberCondition]:
        """The conditions on numbers, by field name."""
        return {name: test for name in self.asked() if isinstance(test := getattr(self, name), NumberCondition)}


class When(_Conditions):
    """Conditions on the whole fact; which fields there are depends on the kind of fact."""

    store_id: TextAsked | None = Field(default=None, description="The store, as the publisher calls it.")
    channel: TextAsked | None = Field(default=None, description="How it came, such as store, web or app.")
    tender: TextAsked | None = Field(default=None, description="How a purchase was paid.")
    network: TextAsked | None = Field(default=None, description="The network that something was shared on.")
    content_id: TextAsked | None = Field(default=None, description="What was shared.")
    sku: TextAsked | None = Field(default=None, description="The product that was shared or reviewed.")
    amount_minor: NumberAsked | None = Field(
        default=None, description="The sum of the amounts of the lines that count, in minor units."
    )
    quantity_milli: NumberAsked | None = Field(
        default=None, description="The sum of the quantities of the lines that count, in thousandths."
    )
    rating: NumberAsked | None = Field(default=None, description="The review's rating; not given never matches.")
    text_length: NumberAsked | None = Field(default=None, description="The length of the review's text in characters.")
    media_count: NumberAsked | None = Field(default=None, description="How many pictures or films the review has.")
    attributes: Annotated[dict[Text, TextAsked], Field(max_length=MAX_ATTRIBUTES)] = Field(
        default={}, description="Conditions on the fact's attributes, by name; an absent attribute is ''."
    )


class LineConditions(_Conditions):
    """Conditions on one line of a purchase."""

    sku: TextAsked | None = Field(default=None, description="The product.")
    category: TextAsked | None = Field(default=None, description="The category, as the publisher calls it.")
    brand: TextAsked | None = Field(default=None, description="The brand.")
    amount_minor: NumberAsked | None = Field(default=None, description="What was paid for the line, in minor units.")
    quantity_milli: NumberAsked | None = Field(default=None, description="The quantity, in thousandths of a unit.")


class Hours(RulesetModel):
    """From `from` to before `until` on the local clock; from later than until goes over midnight."""

    from_: Hour = Field(validation_alias="from", description="The first minute, such as 07:00.")
    until: Hour = Field(description="The first minute that no longer counts, such as 10:00.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.from_ == self.until:
            raise refusal("from and until are the same hour", "delete `hours` for the whole day")
        return self

    def minutes(self) -> tuple[tuple[int, int], ...]:
        """The minutes of a day (from 0) that they cover, as half-open spans."""
        first = self.from_.hour * 60 + self.from_.minute
        last = self.until.hour * 60 + self.until.minute
        return ((first, last),) if first < last else ((0, last), (first, MINUTES_A_DAY))


class Active(RulesetModel):
    """When a rule is active, in the programme's local time; all that are given must hold.

    `from_` and `until` are naive local times (half-open), weekdays count from Monday = 0, dates are (month, day).
    """

    from_: LocalDateTime | None = Field(
        default=None, validation_alias="from", description="From this local date or time on."
    )
    until: LocalDateTime | None = Field(default=None, description="Until before this local date or time.")
    weekdays: Annotated[tuple[Weekday, ...], Field(min_length=1, max_length=7)] | None = Field(
        default=None, description="Days of the week."
    )
    days_of_month: (
        Annotated[tuple[Annotated[Whole, Field(ge=1, le=31)], ...], Field(min_length=1, max_length=31)] | None
    ) = Field(default=None, description="Days of the month, 1 to 31.")
    dates: Annotated[tuple[MonthDay, ...], Field(min_length=1, max_length=366)] | None = Field(
        default=None, description="Days of every year, as month-day."
    )
    hours: Hours | None = Field(default=None, description="Hours of the day.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems: list[Problem] = []
        for name in ("weekdays", "days_of_month", "dates"):
            position = first_repeated(getattr(self, name) or ())
            if position is not None:
                problems.append(Problem((name, position), "this day is listed twice", "delete one"))
        if not any(getattr(self, name) is not None for name in type(self).model_fields):
            problems.append(Problem((), "there is no time in it", "delete `active` for a rule that always holds"))
        refuse_all(problems)
        return self

    def unmet_on(self, day: date) -> str:
        """Which of the fields on weekday and date does not hold on a local day; empty if all of them do."""
        if self.weekdays is not None and day.weekday() not in self.weekdays:
            return "weekdays"
        if self.days_of_month is not None and day.day not in self.days_of_month:
            return "days_of_month"
        if self.dates is not None and (day.month, day.day) not in self.dates:
            return "dates"
        return ""

    def holds_in(self, minute: int) -> bool:
        """Whether a minute of the day (from 0) is in `hours`."""
        return self.hours is None or any(first <= minute < last for first, last in self.hours.minutes())
