"""Reads one cell of a table, of CSV or Parquet, as text or as an id, trimmed and without the guards of spreadsheets."""

import re
from collections.abc import Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from processors.intake.doubtful_ids import (
    OF_ONE,
    PEOPLE,
    has_lost_letters,
    is_masked,
    is_number_for_nobody,
    is_rounded,
    is_spreadsheet_error,
    is_word_for_nothing,
    names_nobody,
    none_names_nobody,
)
from processors.intake.fact_shapes import FIRST_INEXACT, SCIENTIFIC, are_plain
from processors.intake.normal_form import trimmed
from processors.intake.refusal import Problem, quoted

MAX_CELLS_REMEMBERED: Final = 65_536
MAX_GUARDS: Final = 4

_GUARDS: Final = frozenset("='`")
_FORMULA: Final = re.compile(r'=\s*"((?:[^"]|"")*)"', re.DOTALL)
# The wide forms that Chinese and Japanese input gives digits, punctuation and signs of money, and what they stand for.
_WIDE: Final = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)} | {
    0x3000: " ", 0xFFE0: "\u00a2", 0xFFE1: "\u00a3", 0xFFE5: "\u00a5", 0xFFE6: "\u20a9",
}  # fmt: skip
# A whole number as programs write one that they keep with a point, as in a column that has blank cells too.
_WITH_A_POINT: Final = re.compile(r"(0|-?[1-9][0-9]{0,30})\.0")
# One of the texts with bars between them has a guard, or may be such a number.
_GUARDED_OR_WITH_A_POINT: Final = re.compile(r"\|[='`]|\.0\|")

# What joins the parts of an id, and what escapes it within a part; a source may hold neither "/" nor "~".
_JOINT: Final = ("/", "~")
_JOINTS: Final = {"source": (":", "_")}

_INEXACT: Final = (
    "it is kept as a binary number with a point, which cannot tell neighbouring numbers of this size apart (a double "
    "from 2^53 on): write the ids as text or as whole numbers (int64) where they come from"
)


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


def bare_id(cell: str) -> str:
    """An id without blanks, guards, and the point that a program has given to a whole number: 4711.0 is 4711."""
    cell = cleaned(cell)
    if cell.endswith(".0") and (number := _WITH_A_POINT.fullmatch(cell)) and abs(int(number[1])) < FIRST_INEXACT:
        return number[1]
    return cell


def is_doubtful(cell: str) -> bool:
    """Whether an id, as `bare_id` gives it, may stand for several in some field."""
    if cell.isalnum():  # as most ids are
        return (
            is_number_for_nobody(cell) or is_rounded(cell)
            if cell.isdecimal()
            else names_nobody(cell) or is_masked(cell)
        )
    return (
        names_nobody(cell)
        or is_number_for_nobody(cell)
        or is_spreadsheet_error(cell)
        or is_shortened(cell)
        or is_rounded(cell)
        or has_lost_letters(cell)
        or is_masked(cell)
        or (cell.endswith(".0") and _WITH_A_POINT.fullmatch(cell) is not None)
    )


def are_bare_ids(cells: Sequence[Any]) -> bool:
    """Whether these cells surely are texts that `bare_id` leaves as they are and `is_doubtful` finds nothing in."""
    if set(map(type, cells)) != {str}:
        return False
    texts = f"|{'|'.join(cells)}|"
    return are_plain(texts) and not _GUARDED_OR_WITH_A_POINT.search(texts) and none_names_nobody(cells)


def is_shortened(cell: str) -> bool:
    """Whether a spreadsheet or a program has shortened an id in scientific notation, such as 4.98765E+15.

    7E15 alone may be an id with a letter in it, and is taken.
    """
    return ("." in cell or "+" in cell or "," in cell) and SCIENTIFIC.fullmatch(cell) is not None


def id_text(value: Any, field: str, column: str) -> str:
    """A cell as an id; refused if two different ids may have become one in it. Raises Problem.

    A text is one that `bare_id` gave.
    """
    hint = "" if isinstance(value, str) else _doubt_of_typed(value)
    said = "" if hint else number_text(value, field, column)
    hint = hint or _doubt_of(said, field)
    if hint:
        raise Problem("wrong_type", f"{field} is {quoted(value)} in column {quoted(column)}: {hint}", field)
    return said


def number_text(value: Any, field: str, column: str) -> str:
    """A cell as text, a whole decimal without its zeros: 7.00 is "7". Raises Problem."""
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        return str(int(value))
    return text(value, field, column)


def _doubt_of(cell: str, field: str) -> str:
    """What to change in a text that may stand for several ids; empty if it is none."""
    if not is_doubtful(cell):
        return ""
    hint = ""
    if is_word_for_nothing(cell):
        hint = f"if that stands for nothing, say so in the mapping: null_values: [{quoted(cell)}]"
    elif is_spreadsheet_error(cell):
        hint = "a spreadsheet could not show the value: mend the formula or widen the column, then export again"
    elif is_shortened(cell) or (is_rounded(cell) and field in OF_ONE):
        hint = (
            "a spreadsheet shortened it, and other ids may look the same: format the column as text or as a number "
            "without decimals, then export again from the original data"
        )
    elif has_lost_letters(cell):
        hint = (
            "letters of it were lost when the text was converted, and other ids may look the same: export it again as "
            "UTF-8 from the original data"
        )
    elif _WITH_A_POINT.fullmatch(cell):
        hint = _INEXACT
    elif field in PEOPLE and is_masked(cell):
        hint = (
            "some of its characters are hidden, and many people would share one account: name a column whose ids are "
            f"whole, or say in the mapping that it stands for nobody: null_values: [{quoted(cell)}]"
        )
    elif field in PEOPLE and not is_rounded(cell):
        hint = (
            "many people would share one account: if that stands for a buyer who is not known, say so in the mapping: "
            f"null_values: [{quoted(cell)}]"
        )
    return hint


def _doubt_of_typed(value: Any) -> str:
    """What to change in a value that is no text, and no id either; empty if it may be one."""
    if isinstance(value, bool):
        return "that says yes or no, not which: name another column"
    if isinstance(value, Blurred) or (isinstance(value, float) and not abs(value) < FIRST_INEXACT):
        return _INEXACT
    return ""


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
