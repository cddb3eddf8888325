"""Writes conditions as Python expressions: rules are compiled from them, and `explain` finds the one that fails.

An expression speaks of `fact`, or of one `line` of a purchase. The sums over the lines that count are variables.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from processors.decider.fields.conditions import LineConditions, NumberCondition, TextCondition, When
from schemas.facts import MemberFact, PurchaseLine
from schemas.generated import define

MAX_FUNCTIONS_KEPT: Final = 4_096
# Of a purchase, these ask for the sum over the lines that count for the rule.
ORDER_SUMS: Final = ("amount_minor", "quantity_milli")
_MAY_BE_MISSING: Final = frozenset({"rating"})

LineTest = Callable[[PurchaseLine], bool]


class FactTest(NamedTuple):
    """One condition on a fact: the expression `test` must hold.

    `said` says why it does not, given the value of the expression `value`.
    """

    test: str
    value: str
    said: Callable[[Any], str]


def fact_tests(when: When | None) -> list[FactTest]:
    """The tests that must all hold of a fact, in the order of the fields; none where nothing is asked."""
    if when is None:
        return []
    tests = [
        FactTest(text_test(f"fact.{name}", text), f"fact.{name}", _said(f"`{name}`", text))
        for name, text in when.texts().items()
    ]
    for name, number in when.numbers().items():
        value = name if name in ORDER_SUMS else f"fact.{name}"
        label = f"the sum of `{name}` over the lines that count" if name in ORDER_SUMS else f"`{name}`"
        test = number_test(value, number, may_be_missing=name in _MAY_BE_MISSING)
        tests.append(FactTest(test, value, _said(label, number)))
    for name, text in when.attributes.items():
        value = f"fact.attributes.get({name!r}, '')"
        tests.append(FactTest(text_test(value, text), value, _said(f"attribute `{name}`", text)))
    return tests


def sums_asked(tests: Iterable[FactTest]) -> list[str]:
    """Which sums over the lines that count the tests need."""
    values = {each.value for each in tests}
    return [name for name in ORDER_SUMS if name in values]


def line_test(wanted: LineConditions | None, unwanted: LineConditions | None) -> str:
    """The expression that holds of a `line` that matches `wanted` and not `unwanted`; empty where nothing is asked."""
    tests = _line_tests(wanted)
    if unwanted is not None:
        tests.append(f"not ({' and '.join(_line_tests(unwanted))})")
    return " and ".join(tests)


def all_of(*tests: str) -> str:
    """The expression that holds where all expressions do that are not empty."""
    return " and ".join(test for test in tests if test)


def first_unmet(tests: Sequence[FactTest], fact: MemberFact, lines: Sequence[PurchaseLine]) -> str | None:
    """What is said of the first test that does not hold of a fact, of which `lines` count; None if all hold."""
    sums = [sum(getattr(line, name) for line in lines) for name in ORDER_SUMS]
    for each in tests:
        value, holds = _compiled(f"fact, {', '.join(ORDER_SUMS)}", f"{each.value}, {each.test}")(fact, *sums)
        if not holds:
            return each.said(value)
    return None


def line_function(test: str) -> LineTest:
    """The function for an expression of `line_test` that is not empty."""
    return _compiled("line", test)


@lru_cache(MAX_FUNCTIONS_KEPT)
def _compiled(parameters: str, expression: str) -> Callable[..., Any]:
    function: Callable[..., Any] = define("condition", f"def condition({parameters}): return {expression}\n", {})[
        "condition"
    ]
    return function


def _said(label: str, condition: TextCondition | NumberCondition) -> Callable[[Any], str]:
    def said(value: Any) -> str:
        return f"{label} is {'not given' if value is None else repr(value)}, it asks for {condition}"

    return said


def _line_tests(lines: LineConditions | None) -> list[str]:
    if lines is None:
        return []
    tests = [text_test(f"line.{name}", text) for name, text in lines.texts().items()]
    return tests + [number_test(f"line.{name}", number) for name, number in lines.numbers().items()]


def text_test(value: str, condition: TextCondition) -> str:
    """The expression that tests a text: any of some values, none of some values, or both."""
    wanted = condition.wanted()
    if wanted is None:
        return _among(value, frozenset(condition.not_in or ()), "!=", "not in")
    return _among(value, wanted, "==", "in")


def _among(value: str, texts: frozenset[str], equals: str, among: str) -> str:
    if not texts:
        return "False"
    if len(texts) == 1:
        return f"{value} {equals} {min(texts)!r}"
    # Sorted, so that the same ruleset always makes the same source; Python turns a set of constants into a constant.
    return f"{value} {among} {{{', '.join(map(repr, sorted(texts)))}}}"


def number_test(value: str, bounds: NumberCondition, *, may_be_missing: bool = False) -> str:
    """The expression for a number between min and max, both inclusive; one that was not given never matches."""
    if bounds.min is None:
        test = f"{value} <= {bounds.max}"
    elif bounds.max is None:
        test = f"{value} >= {bounds.min}"
    else:
        test = f"{bounds.min} <= {value} <= {bounds.max}"
    return f"{value} is not None and {test}" if may_be_missing else test
