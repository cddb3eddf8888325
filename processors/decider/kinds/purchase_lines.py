"""Writes the source that all rules which count the lines of a purchase have in common."""

from collections.abc import Iterator

from processors.decider.fields.condition_source import all_of, line_function, line_test
from processors.decider.fields.conditions import LineConditions
from processors.decider.fields.problems import Path, Problem
from processors.decider.kinds.rule import LinesAsked, NumberedRule, Programme, indented
from schemas.facts import PurchaseLine

# A discount as most systems write it on a line of its own.
_DISCOUNT = PurchaseLine(sku="discount", amount_minor=-1)


def discount_warnings(path: Path, asked: LinesAsked, programme: Programme) -> Iterator[Problem]:
    """That the `lines` of the rule at `path` leave out a discount on a line of its own, where it is not said so."""
    wanted, unwanted = asked
    if wanted is None or line_function(line_test(wanted, None))(_DISCOUNT):
        return
    if _leaves_out_what_is_below_zero(unwanted) or _leaves_out_what_is_below_zero(programme.exclude_lines):
        return
    missing = [name for name in wanted.asked() if not line_function(line_test(_alone(wanted, name), None))(_DISCOUNT)]
    message = f"a discount on a line of its own has no such `{missing[0]}`: it takes nothing off what this counts"
    hint = (
        "spread discounts over the lines in the mapping, or publish them with what they belong to; if it is meant so, "
        "write `exclude_lines: {amount_minor: {max: 0}}` as well"
    )
    yield Problem((*path, "lines"), message, hint)


def _leaves_out_what_is_below_zero(excluded: LineConditions | None) -> bool:
    return (
        excluded is not None
        and excluded.asked() == ("amount_minor",)
        and excluded.amount_minor is not None
        and excluded.amount_minor.min is None
    )


def _alone(conditions: LineConditions, name: str) -> LineConditions:
    return LineConditions.model_validate({name: getattr(conditions, name)})


def lines_that_pass(name: str, lines: str, test: str) -> list[str]:
    """Puts the lines that pass a test into a variable: for the few lines of an order a loop beats a comprehension."""
    if not test:
        return [f"{name} = {lines}"]
    return [f"{name} = []", f"for line in {lines}:", f"    if {test}:", f"        {name}.append(line)"]


def pay_once(numbered: NumberedRule, asked: LinesAsked) -> list[str]:
    """Pays a rule once if some line counts that takes nothing off the order."""
    test = all_of(line_test(*asked), "line.amount_minor >= 0")
    return ["for line in lines:", f"    if {test}:", *indented(indented([numbered.pay("1"), "break"]))]


def pay_by_line(
    numbered: NumberedRule, asked: LinesAsked, of_line: str, *, round_per_line: bool, above_zero: bool
) -> list[str]:
    """Pays a rule for what its lines add up to: line by line only where they are not all treated alike.

    `of_line` is the expression for what one `line` counts; `above_zero` leaves out the lines whose amount is not above
    0.
    """
    counts = all_of(line_test(*asked), "line.amount_minor > 0" if above_zero else "")
    lines = "counted" if counts else "lines"
    n = numbered.number
    statements = [f"awards.pay(rule_{n}, worth_of_lines(rule_{n}, {lines}, {numbered.taking()}))"]
    if not round_per_line:
        apart = statements
        statements = ["basis = 0", f"for line in {lines}:", f"    basis += {of_line}"]
        if not above_zero:
            statements += ["if basis < 0:", "    basis = 0"]
        statements.append(numbered.pay("basis"))
        if numbered.by_line:
            statements = [f"if taking & {numbered.by_line:#b}:", *indented(apart), "else:", *indented(statements)]
    if counts:
        statements = [*lines_that_pass(lines, "lines", counts), "if counted:", *indented(statements)]
    return statements
