"""The examples of a ruleset: short histories of facts, and all that they must earn."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Final, Self, cast

import msgspec.inspect
from msgspec.inspect import IntType, NoneType, StrType, StructType, UnionType
from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    WithJsonSchema,
    create_model,
    model_validator,
)

from processors.decider.fields.conditions import RulesetModel
from processors.decider.fields.problems import Problem, refusal, refuse_all
from processors.decider.fields.scalars import Flag, Id, LocalDateTime, Whole, instant_text
from schemas.bounds import (
    MAX_AMOUNT_MINOR,
    MAX_ATTRIBUTE_LENGTH,
    MAX_ATTRIBUTES,
    MAX_ID_LENGTH,
    MAX_LINES,
    MAX_QUANTITY_MILLI,
)
from schemas.facts import FACT_KINDS, FactKind
from schemas.posting import EntryType, Reason

MAX_FACTS: Final = 200
MAX_EXPECTED: Final = 1_000
# Fields of a fact that its examples write as `id`, as `at`, and behind the word for the kind.
_NAMED_OTHERWISE: Final = frozenset({"event_id", "occurred_at", "member_id"})

Name = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID_LENGTH)]
Label = Annotated[str, StringConstraints(max_length=MAX_ID_LENGTH)]
Attribute = Annotated[str, StringConstraints(max_length=MAX_ATTRIBUTE_LENGTH)]
Amount = Annotated[Whole, Field(ge=0, le=MAX_AMOUNT_MINOR)]
# A local time of the programme, or an instant with an offset; kept as text until the zone is at hand.
At = Annotated[
    str,
    AfterValidator(instant_text),
    WithJsonSchema(
        {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]{5,12}(Z|[+-][0-9]{2}:[0-9]{2})?)?$"}
    ),
]


class _ExampleFact(RulesetModel):
    at: At = Field(description="When it happened: a local time such as 2026-11-11T18:00, or RFC 3339 with an offset.")
    id: Name | None = Field(
        default=None, description="The event id; by default the fact's place in the example, from 1."
    )
    source: Name = Field(default="example", description="The publishing system.")
    channel: Label = ""
    attributes: Annotated[dict[Name, Attribute], Field(max_length=MAX_ATTRIBUTES)] = Field(default={})


class _StoreFact(_ExampleFact):
    store_id: Label = ""


class ExampleLine(RulesetModel):
    """One line of a purchase in an example."""

    sku: Name = "item"
    amount_minor: Annotated[Whole, Field(ge=-MAX_AMOUNT_MINOR, le=MAX_AMOUNT_MINOR)] = Field(
        description="What was paid for the whole line, in minor units; below 0 if it takes something off."
    )
    quantity_milli: Annotated[Whole, Field(ge=-MAX_QUANTITY_MILLI, le=MAX_QUANTITY_MILLI)] = 1000
    category: Label = ""
    brand: Label = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.quantity_milli < 0 < self.amount_minor:
            hint = "write it without a minus, or the amount with one"
            refuse_all([Problem(("quantity_milli",), "the quantity is below 0, and the amount is not", hint)])
        return self


class ExamplePurchase(_StoreFact):
    """A purchase by a member; `amount_minor` stands for a single line."""

    purchase: Name = Field(description=FACT_KINDS["purchase"].member)
    amount_minor: Amount | None = Field(default=None, description="The total, instead of `lines`.")
    lines: tuple[ExampleLine, ...] | None = Field(default=None, max_length=MAX_LINES)
    currency: str | None = Field(default=None, description="The programme's currency by default.")
    order_id: Name | None = Field(default=None, description="The event id by default.")
    tender: Label = ""
    referrer_id: Name | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.amount_minor is None) == (self.lines is None):
            raise refusal("a purchase has either `amount_minor` or `lines`", "write exactly one of the two")
        total = sum(line.amount_minor for line in self.lines or ())
        if total < 0:
            hint = "let them take off at most what the others add up to"
            refuse_all([Problem(("lines",), f"the lines add up to {total}, which is below 0", hint)])
        return self


class ExampleReferral(_ExampleFact):
    """A member brought another."""

    referral: Name = Field(description=FACT_KINDS["referral"].member)
    referrer_id: Name = Field(description="The member who brought.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.referrer_id == self.referral:
            refuse_all([Problem(("referrer_id",), "a member cannot refer itself", "name another member")])
        return self


class ExampleTick(RulesetModel):
    """Time has passed up to `tick`: all work due by then is done."""

    tick: At = Field(description="A local time such as 2026-12-01, or RFC 3339 with an offset.")


def _model(kind: FactKind) -> type[_ExampleFact]:
    """The model of a kind of fact whose examples have the fields of the fact itself; its word names the member."""
    fields = cast(StructType, msgspec.inspect.type_info(kind.fact)).fields
    base = _StoreFact if any(field.name == "store_id" for field in fields) else _ExampleFact
    elsewhere = _NAMED_OTHERWISE | base.model_fields.keys()
    definitions: dict[str, Any] = {kind.word: (Name, Field(description=kind.member))}
    definitions |= {field.name: _field(field) for field in fields if field.name not in elsewhere}
    name, summary = f"Example{kind.word.title().replace('_', '')}", (kind.fact.__doc__ or "").partition("\n")[0]
    return create_model(name, __base__=base, __doc__=summary, __module__=__name__, **definitions)


def _field(field: msgspec.inspect.Field) -> tuple[Any, Any]:
    """The type and default of a fact's field in examples; an id that the fact must have is `item` by default."""
    default = ... if field.required else field.default
    match field.type:
        case StrType(min_length=None):
            return Label, default
        case StrType() if field.required:
            return Name, "item"
        case IntType(ge=ge, le=le):
            return Annotated[Whole, Field(ge=ge, le=le)], default
        case UnionType(types=(IntType(ge=ge, le=le), NoneType())):
            return Annotated[Whole, Field(ge=ge, le=le)] | None, default
    raise TypeError(f"an example cannot have the field {field.name} as it is: give its kind of fact a model of its own")


_MODELS: Final[dict[str, type[_ExampleFact]]] = {"purchase": ExamplePurchase, "referral": ExampleReferral}
# Each kind by the key that names the member (or the instant of a tick).
EXAMPLE_FACTS: Final[dict[str, type[RulesetModel]]] = {
    **{word: _MODELS.get(word) or _model(kind) for word, kind in FACT_KINDS.items()},
    "tick": ExampleTick,
}


def example_kind(value: Any) -> str | None:
    """The kind of an example's fact, by the keys or fields that it has."""
    return next(
        (kind for kind in EXAMPLE_FACTS if (kind in value if isinstance(value, dict) else hasattr(value, kind))), None
    )


if TYPE_CHECKING:
    ExampleFact = _ExampleFact | ExampleTick
else:
    _TAGGED = (Annotated[model, Tag(kind)] for kind, model in EXAMPLE_FACTS.items())
    ExampleFact = Annotated[reduce(or_, _TAGGED), Discriminator(example_kind)]


class Expected(RulesetModel):
    """One entry, or one reason; only the fields that are written are compared."""

    type: EntryType | None = Field(default=None, description="The kind of entry; PointsAwarded by default.")
    rule: Id | None = Field(default=None, description="The rule that awarded.")
    points: Whole | None = Field(default=None, description="How many points; what is taken away has a minus.")
    reason: Reason | None = Field(default=None, description="Why a fact itself earned nothing.")
    member: Name | None = Field(default=None, description="The member whose account it stands in.")
    of: Name | None = Field(default=None, description="The event id of the fact (see `id`).")
    expires_at: LocalDateTime | None = Field(default=None, description="The local time from which the points are gone.")
    late: Flag | None = Field(default=None, description="Whether the fact came late.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        entry = [name for name in ("type", "rule", "points", "expires_at") if getattr(self, name) is not None]
        if self.reason is not None and entry:
            refuse_all([Problem((entry[0],), f"`{entry[0]}` and `reason` do not go together", "write two items")])
        if self.reason is None and not entry:
            raise refusal("this expects nothing", "write rule and points, or a reason")
        return self


class Example(RulesetModel):
    """Facts in, entries out."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(description="What it shows.")
    facts: tuple[ExampleFact, ...] = Field(min_length=1, max_length=MAX_FACTS, description="What happened, in order.")
    expect: tuple[Expected, ...] = Field(
        max_length=MAX_EXPECTED, description="Every entry and reason that comes of it, in order."
    )
