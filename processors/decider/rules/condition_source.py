"""Conditions as Python expressions, for the generated source of a ruleset; `conditions.py` says the same as closures.

The expressions speak of `fact` or `line`; the sums over an order's lines are expected in variables of their own.
"""

from __future__ import annotations

from typing import Final

from processors.decider.rules.ruleset import LineConditions, NumberCondition, TextCondition, When

# Order-level numbers of a purchase are sums over all its lines, made before the rules are asked.
ORDER_SUMS: Final = ("amount_minor", "quantity_milli")
_MAY_BE_MISSING: Final = frozenset({"rating"})


def when_source(when: When | None) -> list[str]:
    """The expressions that must all hold of `fact`; none where nothing is asked."""
    if when is None:
        return []
    tests = [text_source(f"fact.{name}", condition) for name, condition in when.texts().items()]
    for name, bounds in when.numbers().items():
        value = name if name in ORDER_SUMS else f"fact.{name}"
        tests.append(number_source(value, bounds, may_be_missing=name in _MAY_BE_MISSING))
    for name, condition in when.attributes.items():
        tests.append(text_source(f"fact.attributes.get({name!r}, '')", condition))
    return tests


def sums_asked(when: When | None) -> list[str]:
    """Which sums over an order's lines the conditions need."""
    return [] if when is None else [name for name in ORDER_SUMS if name in when.numbers()]


def lines_source(wanted: LineConditions | None, unwanted: LineConditions | None) -> str:
    """The expression that holds of a `line` that matches `wanted` and not `unwanted`; empty where nothing is asked."""
    tests = _line_tests(wanted)
    if unwanted is not None:
        tests.append(f"not ({' and '.join(_line_tests(unwanted))})")
    return " and ".join(tests)


def _line_tests(lines: LineConditions | None) -> list[str]:
    if lines is None:
        return []
    tests = [text_source(f"line.{name}", condition) for name, condition in lines.texts().items()]
    return tests + [number_source(f"line.{name}", bounds) for name, bounds in lines.numbers().items()]


def text_source(value: str, condition: TextCondition) -> str:
    """Any of some values, none of some values, or both."""
    unwanted = frozenset(condition.not_in or ())
    if condition.any_of is None:
        return _among(value, unwanted, "!=", "not in")
    return _among(value, frozenset(condition.any_of) - unwanted, "==", "in")


def _among(value: str, texts: frozenset[str], equals: str, among: str) -> str:
    if not texts:
        return "False"
    if len(texts) == 1:
        return f"{value} {equals} {min(texts)!r}"
    # Sorted, so that the same ruleset always makes the same source; Python turns a set of constants into a constant.
    return f"{value} {among} {{{', '.join(map(repr, sorted(texts)))}}}"


def number_source(value: str, bounds: NumberCondition, *, may_be_missing: bool = False) -> str:
    """Between min and max, both inclusive; a number that was not given never matches."""
    if bounds.min is None:
        test = f"{value} <= {bounds.max}"
    elif bounds.max is None:
        test = f"{value} >= {bounds.min}"
    else:
        test = f"{bounds.min} <= {value} <= {bounds.max}"
    return f"{value} is not None and {test}" if may_be_missing else test
