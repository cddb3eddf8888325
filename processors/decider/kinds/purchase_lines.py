"""Writes the source that all rules which count the lines of a purchase have in common."""

from processors.decider.fields.condition_source import all_of, line_test
from processors.decider.kinds.rule import LinesAsked, NumberedRule, indented


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
