"""Reads numbers and amounts of money in cells, as people and spreadsheets write them, exactly.

An amount may carry a sign or code of its currency, which must be that of the row: "$5.00" is not an amount of euros.
"""

import re
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from typing import Any, Final

from processors.intake.formats.cells import narrowed
from processors.intake.mapping import Computed
from processors.intake.refusal import Problem, quoted
from schemas.currencies import DECIMALS, SIGNS

MAX_DIGITS: Final = 40
EXACT_FLOAT: Final = 10**15  # below it a decimal of 15 digits and its nearest double identify each other
AMBIGUOUS_SCALE: Final = 1_000  # from here on "1,250" may be 1.25 or 1250
THREE_DECIMALS: Final = 3  # as dinars have, whose amounts are written like thousands of other currencies

_PLAIN: Final = re.compile(r"[+-]?[0-9]{1,30}(?:\.[0-9]{1,30})?")
MAX_NUMBER_LENGTH: Final = 100
_EXACT: Final = Context(prec=4_000)  # more digits than any product or sum here has: nothing is ever rounded
_MODES: Final = {"floor": ROUND_FLOOR, "ceil": ROUND_CEILING, "half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN}
# Blanks and apostrophes group thousands everywhere, and so does the mark that is not the decimal one.
_GROUPING: Final = " \u00a0\u202f\u2009'\u2019"
_CORE: Final = {
    mark: re.compile(
        rf"(?P<whole>[0-9]{{1,30}}|[1-9][0-9]{{0,2}}(?:(?P<by>[{_GROUPING}{other}])[0-9]{{2,3}})"
        rf"(?:(?P=by)[0-9]{{2,3}}){{0,12}}(?<=[0-9]{{3}})|)(?:{re.escape(mark)}(?P<part>[0-9]{{1,30}}))?"
    )
    for mark, other in ((".", ","), (",", "."))
}
# One point with three digits behind it, as many write thousands: 150.000.
_ONE_POINT: Final = re.compile(r"(?<![0-9.,])[1-9][0-9]{0,2}\.[0-9]{3}(?![0-9.,])", re.ASCII)
_AROUND: Final = re.compile(
    r"(?P<before>(?:[^0-9.,]|(?<=[^\W\d_])\.)*)(?P<core>(?:[0-9.,].*)?[0-9])(?P<after>[^0-9]*)", re.DOTALL
)
_MINUS: Final = "-\u2212"
_DECIMALS_OR_THOUSANDS: Final = 'it may have decimals or thousands: say which, decimal: "." or decimal: ","'


class Numbers:
    """Reads the numbers of a table; `decimal` is the mapping's decimal mark, None if it says nothing.

    Cells in `nulls` say nothing, and blank ones.
    """

    def __init__(self, decimal: str | None, nulls: frozenset[Any]) -> None:
        self._decimal = decimal
        self._nulls = nulls

    def computed(  # noqa: PLR0917 - all of it is how one field is read
        self,
        cells: Sequence[Any],
        how: Computed,
        scale: int,
        rounding: str | None,
        currency: str | None,
        field: str,
    ) -> int | None:
        """The product of some cells, and more cells added and taken off, × `scale`; None if all of them are blank.

        A blank cell is nothing to add or take off, but no factor. Of a product nobody can tell whether it has too many
        decimals, so its factors must not be ambiguous. Raises Problem.
        """
        doubt = AMBIGUOUS_SCALE if len(how.times) > 1 or rounding is not None else scale
        prices = len(how.times) if len(how.times) > 1 else 0  # of one piece or one litre, of three decimals perhaps
        for cell, column in zip(cells[prices:], how.columns[prices:], strict=True):
            self._check_point(cell, currency, field, column)
        found = [
            self._exact(cell, doubt, currency, field, column) for cell, column in zip(cells, how.columns, strict=True)
        ]
        if all(one is None for one in found):
            return None
        result = Decimal(1)
        for column, factor in zip(how.times, found, strict=False):
            if factor is None:
                raise Problem(
                    "missing_field", f"{field} is computed from column {quoted(column)}, which is blank", field
                )
            result = _EXACT.multiply(result, factor)
        is_sold = result > 0
        first_minus = len(how.times) + len(how.plus)
        for at, term in enumerate(found[len(how.times) :], len(how.times)):
            if term is not None and at >= first_minus:
                if is_sold and term < 0:
                    raise _below_zero_already(cells[at], field, how.columns[at])
                result = _EXACT.subtract(result, term)
            elif term is not None:
                result = _EXACT.add(result, term)
        shown = f"{', '.join(how.columns)}, computed"
        return _scaled(result, str(result), scale, rounding, currency, field, shown)

    def whole(  # noqa: PLR0917 - all of it is how one cell is read
        self, value: Any, scale: int, rounding: str | None, currency: str | None, field: str, column: str
    ) -> int | None:
        """`value` × `scale` as a whole number, exactly; or rounded where `rounding` names a way; None if it is blank.

        A double stands for the shortest decimal that reads back as the same double, so 1.43 × 100 is 143.
        """
        if type(value) is int:
            return None if value in self._nulls else value * scale
        self._check_point(value, currency, field, column)
        if type(value) is float and scale > 1 and abs(value) < EXACT_FLOAT / scale:
            nearest = round(value * scale)
            if nearest / scale == value:
                return nearest
        number = self._exact(value, scale if rounding is None else AMBIGUOUS_SCALE, currency, field, column)
        return None if number is None else _scaled(number, value, scale, rounding, currency, field, column)

    def check_is_minor(self, value: Any, field: str, column: str) -> None:
        """Raises Problem for a cell that has decimals as amounts of money have, where minor units are asked for.

        Else 25.00 would count as 25 cents, and only 25.50 would be refused.
        """
        mark = self._decimal or "."
        decimals = 0
        if isinstance(value, str) and mark in value:
            part = value.rpartition(mark)[2]
            decimals = len(part) - len(part.lstrip("0123456789"))
        elif isinstance(value, Decimal) and value.is_finite():
            decimals = -int(value.as_tuple().exponent)
        if decimals > 1:
            name = field.rpartition(".")[2]
            hint = (
                "it has decimals, and the mapping does not say how it is scaled: write scale: "
                f"{{{name}: currency}}, or {{{name}: 1}} if it is in minor units (cents) all the same"
            )
            raise Problem("wrong_type", f"{field} is {quoted(value)} in column {quoted(column)}: {hint}", field)

    def _check_point(self, value: Any, currency: str | None, field: str, column: str) -> None:
        """Raises Problem for an amount that may be 150 or 150,000: its currency has not three decimals."""
        if self._decimal is None and isinstance(value, str) and field.endswith("_minor") and _ONE_POINT.search(value):
            if DECIMALS.get(currency or "") == THREE_DECIMALS:
                return
            message = f"{field} is {quoted(value)} in column {quoted(column)}: {_DECIMALS_OR_THOUSANDS}"
            raise Problem("wrong_type", message, field)

    def _exact(self, value: Any, scale: int, currency: str | None, field: str, column: str) -> Decimal | None:
        """A cell as the decimal that it is written as; None if it is blank."""
        if value in self._nulls or value != value:  # noqa: PLR0124 - finds NaN, which tables without nulls hold
            return None
        if isinstance(value, str):
            value = narrowed(value)
            if value in self._nulls:
                return None
            number = self._written(value, scale, currency, field, column)
        elif isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            message = f"{field} is {quoted(value)} in column {quoted(column)}: it must be a number"
            raise Problem("wrong_type", message, field)
        else:
            number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        if not number.is_finite() or number.adjusted() > MAX_DIGITS:
            message = f"{field} is {quoted(value)} in column {quoted(column)}: no such amount"
            raise Problem("wrong_type", message, field)
        return number

    def _written(self, value: str, scale: int, currency: str | None, field: str, column: str) -> Decimal:
        if self._decimal != "," and _PLAIN.fullmatch(value) is not None:
            return Decimal(value)
        try:
            return self._dressed(value, scale, currency if field.endswith("_minor") else "")
        except ValueError as error:
            message = f"{field} is {quoted(value)} in column {quoted(column)}: {error}"
            raise Problem("wrong_type", message, field) from error

    def _dressed(self, value: str, scale: int, currency: str | None) -> Decimal:
        """A number with signs, groups or marks around it; raises ValueError that says what to change.

        `currency` is the row's, None if it is not known, and empty where no amount of money is meant.
        """
        mark = self._decimal or "."
        if len(value) > MAX_NUMBER_LENGTH:
            raise ValueError("it is too long for a number")
        text, negative = value, False
        if text[0] == "(" and text[-1] == ")":  # as bookkeepers write what is below 0
            text, negative = text[1:-1].strip(), True
        around = _AROUND.fullmatch(text)
        found = _CORE[mark].fullmatch(around["core"]) if around else None
        if around is None or found is None or not (found["whole"] or found["part"]):
            raise ValueError(_unlike(text, mark, said=self._decimal is not None))
        before, after = around["before"].strip(), around["after"].strip()
        minuses = sum(before.count(sign) + after.count(sign) for sign in _MINUS)
        if minuses > (0 if negative else 1) or (minuses and "+" in before):
            raise ValueError("its sign is not clear: write it as -1234.50")
        for sign in (before, after):
            _check_sign(sign.strip(f"{_MINUS}+ \u00a0"), currency)
        may_be_decimals = found["by"] in {",", "."} and not found["part"] and len(found["whole"]) <= len("123,456")
        if may_be_decimals and self._decimal is None and scale >= AMBIGUOUS_SCALE:
            raise ValueError(_DECIMALS_OR_THOUSANDS)
        whole = re.sub(r"[^0-9]", "", found["whole"]) or "0"
        number = Decimal(f"{whole}.{found['part'] or 0}")
        return -number if negative or minuses else number


def _below_zero_already(value: Any, field: str, column: str) -> Problem:
    """A discount that is written with a minus would be added if it were taken off."""
    hint = "name the column in plus:, not in minus:"
    message = f"{field}: column {quoted(column)} is {quoted(value)}, which is below 0 already: {hint}"
    return Problem("out_of_range", message, field)


def _check_sign(sign: str, currency: str | None) -> None:
    """Raises ValueError unless what stands before or after a number is a sign of this currency, or nothing."""
    if not sign:
        return
    if currency == "":
        raise ValueError("write it as 1234.50, without letters or signs")
    known = SIGNS.get(sign) or SIGNS.get(sign.rstrip("."))
    code = sign.upper()
    if known is None and code in DECIMALS:
        known = frozenset({code})
    if known is None:
        raise ValueError(f"{quoted(sign)} is no sign of a currency that is known here: write it as 1234.50")
    if currency is not None and currency not in known:
        raise ValueError(f"{quoted(sign)} is no sign of {currency}, the currency of this row: make them agree")


def _unlike(text: str, mark: str, *, said: bool) -> str:
    """What to change in a text that is no number with this decimal mark."""
    other = "," if mark == "." else "."
    swapped = re.sub(r"[^0-9.,]", "", text)
    if other in text and _CORE[other].fullmatch(swapped):
        shown = "a decimal comma" if other == "," else "a decimal point"
        change = "the mapping says otherwise: change" if said else "say so in the mapping:"
        return f'if that is {shown}, {change} decimal: "{other}" (else write it as 1234.50)'
    return "write it as 1234.50: no letters, no percent sign, one decimal mark"


def _scaled(  # noqa: PLR0917 - private, and all of it is in the message
    number: Decimal, value: Any, scale: int, rounding: str | None, currency: str | None, field: str, column: str
) -> int:
    scaled = _EXACT.multiply(number, Decimal(scale))
    if scaled == scaled.to_integral_value():
        return int(scaled)
    if rounding is not None:
        return int(scaled.to_integral_value(_MODES[rounding]))
    name = field.rpartition(".")[2]
    if name.endswith("_minor") and DECIMALS.get(currency or "") == 0:
        hint = (
            f"{currency} has no decimals: mend the amount or the currency, or name a rounding in the mapping, such as "
            f"rounding: {{{name}: half_up}}"
        )
    elif scale == 1 and name.endswith(("_minor", "_milli")):
        usual = "currency" if name.endswith("_minor") else 1000
        hint = f"say in the mapping how it is scaled, such as scale: {{{name}: {usual}}}"
    elif scale == 1:
        hint = (
            f"it is not whole; name a rounding in the mapping if that is meant, such as rounding: {{{name}: half_up}}"
        )
    else:
        hint = f"times {scale} it is not whole; name a rounding in the mapping if that is meant"
    raise Problem("wrong_type", f"{field} is {quoted(value)} in column {quoted(column)}: {hint}", field)
