"""Finds the column that tells one buyer from another: an id before a card, a phone, a mail address; a name last."""

import re
from collections.abc import Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from processors.intake.suggest.known_names import plain, rank_of
from processors.intake.suggest.look import Table

# An id of a buyer, in a name as `plain` gives it: who, and what of theirs.
_ID: Final = re.compile(
    r"(?:cust(?:omer)?|client|member(?:ship)?|buyer|user|shopper|patron|acc(?:oun)?t|loyalty|rewards?)"
    r"(?:acc(?:oun)?t|card)?(?:id|no|nr|num|number|code|key|ref)"
    r"|(?:acc(?:oun)?t|cust|membership)"
    r"|(?:kunden?|mitglieds?|bonus|treue|stamm)(?:karten?|konto)?(?:id|nr|no|nummer|code|karte|konto)"
    r"|(?:会员|顾客|客户|客|用户|买家|购买人|会員|顧客|お客様)(?:账号|帐号|账户|卡|卡号|号|编号|编码|编号码|代码|id|码|唯一标识|コード|番号)"
)
_STAR: Final = re.compile(r"[*\uff0a•●]|[xX]{3,}")
_LETTERS: Final = re.compile(r"[^\W\d_]+(?:[ .,'’·・-]+[^\W\d_]+)*\.?")
# Of a text of letters alone: several words, a capital before small letters, or a script without letter case.
_LIKE_A_NAME: Final = re.compile(r"\S[ ,·・]+\S|[A-ZÀ-Þ][a-zß-ÿ]+|[^\x00-\u024f]{2,}")


class Tells(IntEnum):
    """By what a column tells buyers apart, the surest first."""

    ID = 0
    CARD = 1
    PHONE = 2
    MAIL = 3
    NAME = 4


class Found(NamedTuple):
    """The column that names the member, if there is one, and what is doubtful about it."""

    column: str | None
    doubts: tuple[str, ...] = ()


class _Candidate(NamedTuple):
    """A column that may name the member; of two the smaller one is the better."""

    is_blank: bool
    tells: Tells
    rank: int
    at: int
    column: str


_UNRANKED: Final = 1_000  # after the names that are listed
_MEANINGS: Final = (
    ("member", Tells.ID), ("card", Tells.CARD), ("phone", Tells.PHONE), ("mail", Tells.MAIL), ("person", Tells.NAME),
)  # fmt: skip


def find_member(table: Table, taken: set[str]) -> Found:
    """The column of the member of a table; those in `taken` mean something else."""
    found = sorted(
        candidate
        for at, column in enumerate(table.header)
        if column not in taken and (candidate := _candidate(table, at, column)) is not None
    )
    # A name is taken only where nothing else is there, be that blank in all rows that were looked at.
    found.sort(key=lambda one: one.tells is Tells.NAME)
    if not found:
        return Found(None)
    best = found[0]
    return Found(best.column, (*_doubts_of(best), *_beside(table, best, found[1:])))


def are_masked(cells: Sequence[str]) -> bool:
    """Whether there is an id among these of which letters are hidden, such as 138****1234."""
    return any(map(_STAR.search, cells))


def are_names(cells: Sequence[str]) -> bool:
    """Whether most cells look like persons' names."""
    return bool(cells) and 2 * sum(1 for cell in cells if _is_name(cell)) > len(cells)


def _is_name(cell: str) -> bool:
    bare = _STAR.sub("", cell)
    return _LETTERS.fullmatch(bare) is not None and (bare != cell or _LIKE_A_NAME.search(bare) is not None)


def _candidate(table: Table, at: int, column: str) -> _Candidate | None:
    by_name = _by_name(column)
    if by_name is None:
        return None
    cells = [cell for cell in table.cells_to_the_end(column) if cell]
    tells, rank = by_name
    return _Candidate(not cells, _by_cells(tells, cells), rank, at, column)


def _by_cells(tells: Tells, cells: Sequence[str]) -> Tells:
    """What a column is by its cells, of which its name says this."""
    if tells is Tells.NAME and 2 * sum(map(_is_like_an_id, cells)) > len(cells):
        return Tells.MAIL if any("@" in cell for cell in cells) else Tells.ID
    return Tells.NAME if tells < Tells.MAIL and are_names(cells) else tells


def _by_name(column: str) -> tuple[Tells, int] | None:
    """What a column's name says of it, and how surely."""
    numbered = column.replace("#", " no ").replace("№", " no ")
    for name in dict.fromkeys([numbered, column]):
        for meaning, tells in _MEANINGS:
            if (rank := rank_of(meaning, name)) is not None:
                return tells, rank
        if _ID.fullmatch(plain(name)):
            return Tells.ID, _UNRANKED
    return None


def _is_like_an_id(cell: str) -> bool:
    return "@" in cell or (any(letter.isdigit() for letter in cell) and not _is_name(cell))


def _doubts_of(best: _Candidate) -> list[str]:
    if best.tells is not Tells.NAME:
        return [f"{best.column} is blank in every row that was looked at"] if best.is_blank else []
    told = "two people of one name would share an account: export an id, a card or a phone number too, and name that"
    return [f"{best.column} holds names, and {told}"]


def _beside(table: Table, best: _Candidate, others: Sequence[_Candidate]) -> list[str]:
    """Doubts by the columns that were not chosen: rows in which one of them names a buyer, and the chosen one does not.

    Or the other way round, where an id is blank in all rows.
    """
    chosen = table.cells_to_the_end(best.column)
    doubts = []
    for other in others:
        cells = table.cells_to_the_end(other.column)
        if other.tells < best.tells and other.is_blank:
            doubts.append(f"{other.column} would be surer, but is blank in every row that was looked at")
        more = sum(1 for here, there in zip(chosen, cells, strict=True) if there and not here)
        if more and other.tells is not Tells.NAME and not doubts:
            doubts.append(
                f"in {more:,} of {len(cells):,} rows {best.column} is blank (a guest) and {other.column} is not"
            )
    return doubts
