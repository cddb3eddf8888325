"""The interface of all kinds of rules: what compiling, checking and explaining need to know of a rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol, Self, get_args

from pydantic import Field, field_validator, model_validator

from processors.decider.fields.condition_source import FactTest, fact_tests
from processors.decider.fields.conditions import Active, LineConditions, RulesetModel, When
from processors.decider.fields.expiry_and_limit import Expiry, FixedExpiry, Limit
from processors.decider.fields.problems import Path, Problem, listed, nearest, refuse_all, repeated
from processors.decider.fields.satisfiable import asked_of_fact, asked_of_line, empty_field, ever_active, is_covered
from processors.decider.fields.scalars import Id
from processors.decider.points import Counted
from processors.decider.rounding import Rounding
from schemas.facts import FACT_KINDS, FactKind, MemberFact, PurchaseLine

MAX_LIMITS: Final = 200
NEVER_PAYS: Final = "as it stands, the rule never pays"

LinesAsked = tuple[LineConditions | None, LineConditions | None]


class Programme(Protocol):
    """What a rule may ask of the ruleset that it stands in."""

    @property
    def rounding(self) -> Rounding:
        """The default of all rules."""

    @property
    def expiry(self) -> Expiry:
        """The default of all rules."""

    @property
    def exclude_lines(self) -> LineConditions | None:
        """The lines that no purchase rule counts."""

    @property
    def limits(self) -> Sequence[Limit]:
        """The limits that rules may list."""

    @property
    def rules(self) -> Sequence[AnyRule]:
        """All rules, in the order of the file."""


class AnyRule(RulesetModel):
    """A rule of any kind."""

    id: Id = Field(description="The rule's name in statements and explanations; unique in the file.")
    active: Active | None = Field(default=None, description="When the rule is active; without it, always.")

    # Keys that people expect of this kind and that it does not have: what to write instead.
    keys_elsewhere: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse_all(self.problems())
        return self

    @classmethod
    def kind_name(cls) -> str:
        """The kind, as the file names it."""
        return str(get_args(cls.model_fields["kind"].annotation)[0])

    def problems(self) -> list[Problem]:
        """What is wrong with the rule by itself, by the path inside it."""
        return []

    def problems_beside(
        self, path: Path, rules: Sequence[AnyRule], limits: Mapping[str, Limit], broken: frozenset[str]
    ) -> Iterator[Problem]:
        """What is wrong with the rule at `path` of a file beside the other rules and the limits.

        Rules and limits named in `broken` were refused already: what refers to them is left alone.
        """
        raise NotImplementedError

    @classmethod
    def problems_together(cls, rules: Sequence[AnyRule]) -> Iterator[Problem]:
        """What is wrong with all rules of this kind together."""
        del rules
        yield from ()

    def warnings(self, path: Path, programme: Programme) -> Iterator[Problem]:
        """What the rule at `path` may say but cannot mean."""
        raise NotImplementedError

    @classmethod
    def when_schemas(cls) -> list[dict[str, Any]]:
        """What the JSON Schema of this kind says beyond its fields: which fields `when` may have."""
        return []

    def when_asked(self) -> When | None:
        """The conditions on the whole fact: the field `when` of the kinds that have it."""
        when: When | None = getattr(self, "when", None)
        return when

    def lines_asked(self) -> LinesAsked:
        """What lines of a purchase must match and may not: `lines` and `exclude_lines` of the kinds that have them."""
        return getattr(self, "lines", None), getattr(self, "exclude_lines", None)

    def not_paid_for(self, lines: Sequence[PurchaseLine]) -> str:
        """Why a rule that counts purchases does not match these lines, which it asks for; empty if it does."""
        del lines
        return ""

    def tests(self) -> list[FactTest]:
        """What must hold of a fact for the rule to take part, beside its time and the lines."""
        return fact_tests(self.when_asked())

    def multiplied(self, rules: Sequence[AnyRule]) -> list[EarningRule]:
        """The rules that this one multiplies; none, unless it is a multiplier."""
        del rules
        return []

    def not_counted(self, fact: MemberFact, rules: Sequence[AnyRule]) -> str:
        """Why the rule does not count this kind of fact at all; empty if it does."""
        raise NotImplementedError


class EarningRule(AnyRule):
    """A rule that pays."""

    rounding: Rounding | None = Field(
        default=None, description="How points are rounded; the programme's rounding by default."
    )
    expiry: Expiry | None = Field(
        default=None, description="When these points expire; the programme's expiry by default."
    )
    limits: tuple[Id, ...] = Field(
        default=(), max_length=MAX_LIMITS, description="Limits that cut this rule, in order."
    )

    # The word for the kind of fact that it counts, unless `fact` says otherwise.
    counts: ClassVar[str] = ""
    # Whether a ruleset may have one rule of this kind at most.
    is_single: ClassVar[bool] = False
    # Whether a multiplier that names no rules multiplies this kind.
    multiplied_by_default: ClassVar[bool] = False
    # Whether the source of this kind sets `reason` where it finds that it pays nothing.
    gives_reason: ClassVar[bool] = False
    # What the source of this kind uses beside the names that `rules/compile.py` gives to every kind.
    names: ClassVar[Mapping[str, Any]] = {}
    # What is said where all conditions held, and yet nothing was worked out.
    unpaid: ClassVar[str] = "its conditions hold, but nothing of this fact was counted"

    @field_validator("limits")
    @classmethod
    def _limits_once(cls, limits: tuple[str, ...]) -> tuple[str, ...]:
        refuse_all(repeated(limits, "the limit"))
        return limits

    def fact(self) -> FactKind:
        """The kind of fact that it counts."""
        return FACT_KINDS[self.counts]

    @classmethod
    def when_schemas(cls) -> list[dict[str, Any]]:
        """That `when` may only have fields of the kind of fact that is counted."""
        return [when_schema(cls.counts)] if "when" in cls.model_fields else []

    def counted(self) -> Counted:
        """What of a fact it counts."""
        raise NotImplementedError

    def source(self, numbered: NumberedRule) -> list[str]:
        """The statements that pay the rule, once its tests hold; see `rules/compile.py` for the names that they use."""
        raise NotImplementedError

    @property
    def is_counted_by_line(self) -> bool:
        """Whether the lines of a purchase can be multiplied apart from each other."""
        return self.counted().of_line is not None

    def problems_beside(
        self, path: Path, rules: Sequence[AnyRule], limits: Mapping[str, Limit], broken: frozenset[str]
    ) -> Iterator[Problem]:
        """Limits that do not exist or cannot count this rule, and what `when` cannot ask of the fact."""
        del rules
        word = self.fact().word
        for place, name in enumerate(self.limits):
            limit = limits.get(name)
            here = (*path, "limits", place)
            if limit is None:
                if name not in broken:
                    hint = f"name one of the file's limits: {listed(tuple(limits))}"
                    yield Problem(here, f"there is no limit `{name}`{nearest(name, tuple(limits))}", hint)
            elif limit.each == "sku" and "sku" not in self.fact().when_fields:
                hint = "only rules on a share or review have one sku"
                yield Problem(here, f"the limit `{name}` counts each sku", hint)
            elif limit.per == "order" and self.fact().word != "purchase":
                yield Problem(here, f"the limit `{name}` counts each order", "only rules on purchases have one order")
        yield from when_problems(path, self.when_asked(), self.fact(), f"a `{self.kind_name()}` rule on a {word}")

    @classmethod
    def problems_together(cls, rules: Sequence[AnyRule]) -> Iterator[Problem]:
        """More than one rule of a kind that may stand once."""
        places = [place for place, rule in enumerate(rules) if isinstance(rule, cls)]
        for place in places[1:] if cls.is_single else ():
            message = f"a second `{cls.kind_name()}` rule: at most one in a ruleset"
            yield Problem(("rules", place), message, "delete one of them")

    def warnings(self, path: Path, programme: Programme) -> Iterator[Problem]:
        """Conditions that never hold, points that are gone before they can be earned, limits that do not fit."""
        yield from self._warnings_of_conditions(path, programme)
        yield from self._warnings_of_expiry(path, programme)
        each_store = {limit.id for limit in programme.limits if limit.each == "store_id"}
        for place, name in enumerate(self.limits):
            if name in each_store and "store_id" not in self.fact().when_fields:
                message = f"a {self.fact().word} has no store, so this counts them all together"
                yield Problem((*path, "limits", place), message, "use a limit without `each`")

    def _warnings_of_conditions(self, path: Path, programme: Programme) -> Iterator[Problem]:
        if self.active is not None and not ever_active([self.active]):
            yield Problem((*path, "active"), "there is no moment at which all of `active` holds", NEVER_PAYS)
        field = empty_field(asked_of_fact(self.when_asked()))
        if field is not None:
            keys = field_keys(field)
            yield Problem((*path, "when", *keys), f"no {self.fact().word} has this `{keys[-1]}`", NEVER_PAYS)
        wanted, excluded = self.lines_asked()
        lines = asked_of_line(wanted)
        field = empty_field(lines)
        if field is not None:
            yield Problem((*path, "lines", field), f"no line has this `{field}`", NEVER_PAYS)
        elif is_covered(lines, asked_of_line(excluded)):
            yield Problem((*path, "exclude_lines"), "this excludes every line that `lines` asks for", NEVER_PAYS)
        elif is_covered(lines, asked_of_line(programme.exclude_lines)):
            hint = "the programme's `exclude_lines` holds for every purchase rule; " + NEVER_PAYS
            yield Problem((*path, "lines"), "the programme excludes every line that this asks for", hint)

    def _warnings_of_expiry(self, path: Path, programme: Programme) -> Iterator[Problem]:
        expiry = self.expiry or programme.expiry
        start = self.active.from_ if self.active is not None else None
        if isinstance(expiry, FixedExpiry) and start is not None and expiry.on < start.date():
            where: Path = path if self.expiry is None else (*path, "expiry")
            message = f"its points expire on {expiry.on}, before the rule begins on {start.date()}"
            yield Problem(where, message, "give the rule a later `expiry`")

    def not_counted(self, fact: MemberFact, rules: Sequence[AnyRule]) -> str:
        """A sentence if it counts another kind of fact; else empty."""
        del rules
        counted = self.fact().counted
        return "" if isinstance(fact, counted) else f"it counts {counted.__name__}, this is {type(fact).__name__}"


@dataclass(frozen=True)
class NumberedRule:
    """An earning rule with its place in the file and the bits of the multipliers that it has.

    `time_bit` is set in `active` while the rule is active; 0 for a rule that always is. `by_line` are the multipliers
    that look at lines.
    """

    number: int
    rule: EarningRule
    time_bit: int
    multipliers: int
    by_line: int

    def taking(self) -> str:
        """The expression for the bits of its multipliers that take part."""
        return f"taking & {self.multipliers:#b}" if self.multipliers else "0"

    def pay(self, basis: str, worth: str = "worth") -> str:
        """The statement that pays what an expression is worth; a worth that was met before is looked up, not called."""
        n, taking = self.number, self.taking()
        return f"awards.pay(rule_{n}, worths_{n}.get(({taking}, {basis})) or rule_{n}.{worth}({taking}, {basis}))"


def indented(lines: Iterable[str]) -> list[str]:
    """Statements one level deeper."""
    return [f"    {line}" for line in lines]


def when_problems(path: Path, when: When | None, fact: FactKind, what: str) -> Iterator[Problem]:
    """What `when` asks that a kind of fact does not have; `what` names the rule in messages."""
    for name in when.asked() if when is not None else ():
        if name not in fact.when_fields:
            message = f"{what} has no `{name}`{nearest(name, fact.when_fields)}"
            yield Problem((*path, "when", name), message, f"`when` may ask for {listed(fact.when_fields)}")


def when_schema(word: str) -> dict[str, Any]:
    """The JSON Schema of a rule whose `when` may have the fields of a kind of fact alone."""
    return {"properties": {"when": {"propertyNames": {"enum": list(FACT_KINDS[word].when_fields)}}}}


def field_keys(field: str) -> tuple[str, ...]:
    """A field's path below `when`: `attributes.<name>` has two keys."""
    name, dot, attribute = field.partition(".")
    return (name, attribute) if dot else (name,)
