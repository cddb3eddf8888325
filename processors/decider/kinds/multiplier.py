"""Rules of kind `multiplier`: they make other rules pay more, or less, and pay nothing themselves."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, field_validator

from processors.decider.fields.condition_source import ORDER_SUMS
from processors.decider.fields.conditions import LineConditions, When
from processors.decider.fields.expiry_and_limit import Limit
from processors.decider.fields.problems import Path, Problem, listed, nearest, refuse_all, repeated
from processors.decider.fields.satisfiable import (
    asked_of_fact,
    asked_of_line,
    empty_field,
    ever_active,
    is_covered,
    together,
)
from processors.decider.fields.scalars import Exact, Id, number_schema
from processors.decider.kinds.rule import AnyRule, EarningRule, Programme, field_keys, when_problems
from schemas.facts import MemberFact

MAX_FACTOR: Final = 100
MAX_FACTOR_PRODUCT: Final = 1_000
MAX_RULES: Final = 200
_WRITE_AT_TARGETS: Final = "it pays nothing itself: write it at the rules it multiplies"

Times = Annotated[Exact, Field(ge=0, le=MAX_FACTOR), number_schema(minimum=0, maximum=MAX_FACTOR)]


class MultiplierRule(AnyRule):
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

    keys_elsewhere: ClassVar[Mapping[str, str]] = dict.fromkeys(("rounding", "expiry", "limits"), _WRITE_AT_TARGETS)

    @field_validator("applies_to")
    @classmethod
    def _rules_once(cls, rules: tuple[str, ...] | None) -> tuple[str, ...] | None:
        refuse_all(repeated(rules or (), "the rule"))
        return rules

    def multiplied(self, rules: Sequence[AnyRule]) -> list[EarningRule]:
        """The rules that it names, else those that are multiplied by default."""
        if self.applies_to is None:
            return [rule for rule in rules if isinstance(rule, EarningRule) and rule.multiplied_by_default]
        paying = {rule.id: rule for rule in rules if isinstance(rule, EarningRule)}
        return [paying[name] for name in self.applies_to if name in paying]

    def problems_beside(
        self, path: Path, rules: Sequence[AnyRule], limits: Mapping[str, Limit], broken: frozenset[str]
    ) -> Iterator[Problem]:
        """Rules that do not exist or pay nothing, and what cannot be asked of those that do."""
        del limits
        targets = self.multiplied(rules)
        if self.applies_to is None and not targets and not broken:
            hint = "name the rules it multiplies in `applies_to`"
            yield Problem(path, f"`{self.id}` multiplies every spend rule, and there is none", hint)
        by_id = {other.id: other for other in rules}
        for place, name in enumerate(self.applies_to or ()):
            here = (*path, "applies_to", place)
            if name in by_id and not isinstance(by_id[name], EarningRule):
                hint = "name the rules that pay; several multipliers combine by `stacking`"
                yield Problem(here, f"`{name}` is a multiplier itself", hint)
            elif name not in by_id and name not in broken:
                ids = tuple(known for known, rule in by_id.items() if isinstance(rule, EarningRule))
                hint = f"name one of the file's rules: {listed(ids)}"
                yield Problem(here, f"there is no rule `{name}`{nearest(name, ids)}", hint)
        once: dict[Path, Problem] = {}
        for other in targets:
            for problem in self._problems_with(path, other):
                once.setdefault(problem.path, problem)
        yield from once.values()

    def _problems_with(self, path: Path, other: EarningRule) -> Iterator[Problem]:
        """Where the multiplier asks for something that a rule it multiplies does not have."""
        yield from when_problems(path, self.when, other.fact(), f"`{other.id}`, on a {other.fact().word},")
        for name in ("lines", "exclude_lines"):
            if getattr(self, name) is not None and not other.is_counted_by_line:
                hint = "apply it to `spend` rules, or to `fixed` rules with `per: line` or `per: unit`"
                yield Problem((*path, name), f"`{other.id}` is not counted by line", hint)

    @classmethod
    def problems_together(cls, rules: Sequence[AnyRule]) -> Iterator[Problem]:
        """Factors above 1 whose product is beyond the bound."""
        product = Decimal(1)
        for place, rule in enumerate(rules):
            if isinstance(rule, cls) and rule.factor > 1:
                product *= rule.factor
                if product > MAX_FACTOR_PRODUCT:
                    message = f"all factors above 1 together make {product.normalize():f}"
                    yield Problem(("rules", place, "factor"), message, f"at most {MAX_FACTOR_PRODUCT} is allowed")
                    return

    def warnings(self, path: Path, programme: Programme) -> Iterator[Problem]:
        """A factor that changes nothing, and rules in which the multiplier can never take part."""
        if self.factor == 1:
            message = "a factor of 1 changes nothing"
            yield Problem((*path, "factor"), message, "write another factor, or delete the rule")
        if self.active is not None and not ever_active([self.active]):
            hint = "as it stands, the multiplier never takes part"
            yield Problem((*path, "active"), "there is no moment at which all of `active` holds", hint)
            return
        targets = self.multiplied(programme.rules)
        obstacles = [self._obstacle(other, programme) for other in targets]
        if all(obstacles):
            message = f"`{self.id}` never takes part: {obstacles[0]}"
            yield Problem(path, message, "change its conditions, or delete it")
        elif self.applies_to is not None:
            for place, (other, obstacle) in enumerate(zip(targets, obstacles, strict=True)):
                if obstacle:
                    message = f"`{self.id}` never takes part in `{other.id}`: {obstacle}"
                    yield Problem((*path, "applies_to", place), message, "take the rule out of `applies_to`")

    def _obstacle(self, other: EarningRule, programme: Programme) -> str:
        """Why it can never take part in a rule that it applies to, or ""."""
        if self.active is not None and other.active is not None and not ever_active([self.active, other.active]):
            return f"it is never active together with `{other.id}`"
        asked = [asked_of_fact(other.when_asked()), asked_of_fact(self.when)]
        if other.lines_asked() != self.lines_asked():  # then the two sum other lines, which may differ
            asked = [{name: values for name, values in one.items() if name not in ORDER_SUMS} for one in asked]
        field = empty_field(together(asked))
        if field is not None:
            return f"its `{field_keys(field)[-1]}` never fits that of `{other.id}`"
        wanted, excluded = other.lines_asked()
        lines = together([asked_of_line(wanted), asked_of_line(self.lines)])
        field = empty_field(lines)
        if field is not None:
            return f"its lines' `{field}` never fits that of `{other.id}`"
        for conditions, whose in (
            (self.exclude_lines, "its own `exclude_lines`"),
            (excluded, f"the `exclude_lines` of `{other.id}`"),
            (programme.exclude_lines, "the programme's `exclude_lines`"),
        ):
            if is_covered(lines, asked_of_line(conditions)):
                return f"{whose} leaves no line to multiply"
        return ""

    def not_counted(self, fact: MemberFact, rules: Sequence[AnyRule]) -> str:
        """A sentence if none of the rules it multiplies counts this kind of fact; else empty."""
        targets = self.multiplied(rules)
        if any(isinstance(fact, other.fact().counted) for other in targets):
            return ""
        names = ", ".join(other.id for other in targets)
        return f"none of the rules it multiplies ({names}) counts a {type(fact).__name__}"
