"""Reads one cell of a table, of CSV or Parquet, as text or as an id, trimmed and without the guards of spreadsheets."""

import re
from collections.abc import Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from processors.intake.fact_shapes import FIRST_INEXACT, SCIENTIFIC
from processors.intake.normal_form import trimmed
from processors.intake.refusal import Problem, quoted

MAX_CELLS_REMEMBERED: Final = 65_536
MAX_GUARDS: Final = 4
# Fields that identify something: a cell that may stand for two different ids is refused there.
ID_FIELDS: Final = frozenset({
    "source", "event_id", "order_id", "member_id", "referrer_id", "referee_id", "store_id", "content_id", "sku",
})  # fmt: skip

_GUARDS: Final = frozenset("='`")
# What databases, spreadsheets and cashiers write where there is no value: as an id it would be one of many people.
_NOTHING: Final = frozenset({
    "NULL", "null", "(null)", "\\N", "None", "nil", "NaN", "nan", "<NA>", "undefined", "N/A", "n/a",
    "#N/A", "#REF!", "#VALUE!", "#NAME?", "#NULL!", "#DIV/0!", "#NUM!",
    "-", "--", "---", "/", "?", "无", "暂无", "散客", "非会员", "匿名",
})  # fmt: skip
_FORMULA: Final = re.compile(r'=\s*"((?:[^"]|"")*)"', re.DOTALL)
# The wide forms that Chinese and Japanese input gives digits, punctuation and signs of money, and what they stand for.
_WIDE: Final = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)} | {
    0x3000: " ", 0xFFE0: "\u00a2", 0xFFE1: "\u00a3", 0xFFE5: "\u00a5", 0xFFE6: "\u20a9",
}  # fmt: skip

# What joins the parts of an id, and what escapes it within a part; a source may hold neither "/" nor "~".
_JOINT: Final = ("/", "~")
_JOINTS: Final = {"source": (":", "_")}


class Blurred(float):
    """A number so large for the bits that it was kept in that it may stand for several whole numbers."""


def cleaned(cell: str) -> str:
    """A cell without blanks around it, and without what keeps a spreadsheet from counting: ="007", '007, `007."""
    cell = cell.strip() if cell.isprintable() else trimmed(cell)
    if cell[:1] not in _GUARDS:
        return cell
    for _ in range(MAX_GUARDS):
        first = cell[:1]
        if first == "=":
            formula = _FORMULA.fullmatch(cell)
            if formula is None:
                break
            cell = formula[1].replace('""', '"')
        elif first and first in _GUARDS:
            cell = cell[1:-1] if cell[-1] == first and len(cell) > 1 else cell[1:]
        else:
            break
        cell = trimmed(cell)
    return cell


def narrowed(cell: str) -> str:
    """The text of a number or a time, cleaned, with wide digits and punctuation as ordinary ones; never for an id."""
    cell = cleaned(cell)
    return cell if cell.isascii() else cell.translate(_WIDE)


def text(value: Any, field: str, column: str) -> str:
    """A cell as text; 7.0 is "7", as a column of ids with empty cells is often stored as doubles. Raises Problem."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < FIRST_INEXACT else repr(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            message = f"{field} is {quoted(value)} in column {quoted(column)}: the bytes are not UTF-8: write text"
            raise Problem("malformed", message, field) from error
    if isinstance(value, int | Decimal | UUID):
        return str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    raise Problem("wrong_type", f"{field} is {quoted(value)} in column {quoted(column)}: it must be text", field)


def is_doubtful(cell: str) -> bool:
    """Whether an id may stand for several: shortened in scientific notation, or a program's word for nothing."""
    return cell in _NOTHING or is_shortened(cell)


def is_shortened(cell: str) -> bool:
    """Whether a spreadsheet or a program has shortened an id in scientific notation, such as 4.98765E+15.

    7E15 alone may be an id with a letter in it, and is taken.
    """
    return ("." in cell or "+" in cell or "," in cell) and SCIENTIFIC.fullmatch(cell) is not None


def id_text(value: Any, field: str, column: str) -> str:
    """A cell as an id; refused if two different ids may have become one in it. Raises Problem."""
    if isinstance(value, str):
        if not is_doubtful(value):
            return value
        if value in _NOTHING:
            hint = f"if that stands for nothing, say so in the mapping: null_values: [{quoted(value)}]"
            raise Problem("wrong_type", f"{field} is {quoted(value)} in column {quoted(column)}: {hint}", field)
        hint = (
            "a spreadsheet shortened it, and other ids may look the same: format the column as text or as a number "
            "without decimals, then export again from the original data"
        )
        raise Problem("wrong_type", f"{field} is {quoted(value)} in column {quoted(column)}: {hint}", field)
    if isinstance(value, Blurred) or (isinstance(value, float) and not abs(value) < FIRST_INEXACT):
        hint = (
            "it is kept as a binary number with a point, which cannot tell neighbouring numbers of this size apart (a "
            "double from 2^53 on): write the ids as text or as whole numbers (int64) where they come from"
        )
        raise Problem("wrong_type", f"{field} is {quoted(value)} in column {quoted(column)}: {hint}", field)
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        return str(int(value))
    return text(value, field, column)


def joined(field: str, parts: Sequence[str]) -> str:
    """One text of several, so that different parts never make one text: 1, 0007 and 2026-11-01 are 1/0007/2026-11-01.

    A mark that joins is escaped where a part holds it, and escapes before one are doubled, as command lines do.
    """
    between, escape = _JOINTS.get(field, _JOINT)
    return between.join([_escaped(part, between, escape) for part in parts])


def _escaped(part: str, between: str, escape: str) -> str:
    if between in part:
        part = re.sub(f"({re.escape(escape)}*){re.escape(between)}", rf"\1\1{escape}{between}", part)
    return part + escape * (len(part) - len(part.rstrip(escape)))
