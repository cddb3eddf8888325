"""Knows ids that would pool people or things: words for nobody, masked ids, errors of spreadsheets, lost letters."""

import re
from collections.abc import Collection
from typing import Final

from processors.intake.nobody import NO_NUMBERS, NOBODY, NOT_FOUND, NOTHING

# Fields that name a person.
PEOPLE: Final = frozenset({"member_id", "referrer_id", "referee_id"})
# Fields that identify something: a text that may stand for two different ids is refused there.
ID_FIELDS: Final = frozenset({
    "source", "event_id", "order_id", "member_id", "referrer_id", "referee_id", "store_id", "content_id", "sku",
})  # fmt: skip
# Fields in which a number that was rounded pools people, or orders.
OF_ONE: Final = PEOPLE | {"event_id", "order_id"}
LONGEST_WORD: Final = 40

_IN_SMALL_LETTERS: Final = NOBODY | {word.casefold() for word in NOTHING | NOT_FOUND}
# All of these as they are mostly written, so that one look finds them.
NOBODY_AS_WRITTEN: Final = NO_NUMBERS.union(
    written
    for word in NOBODY | NOTHING | NOT_FOUND
    for written in (word, word.lower(), word.upper(), word.capitalize(), word.title())
)
# How a spreadsheet says that it could not work out a value, in several languages, waits for it, or had no room to show
# it; macros (Error 2042) and C programs (1.#QNAN) have words of their own.
_BARE_ERRORS: Final = (
    "N/A|N/B|N/D|N/DISP|\u041d/\u0414|I/T|YOK|HIÁNYZIK|NENÍ_K_DISPOZICI|GETTING_DATA|REF|VALUE|NAME|NUM|DIV/0|SPILL|CALC|"
    "FIELD|UNKNOWN|CONNECT|BLOCKED|BUSY|ERROR"
)
_AN_ERROR: Final = (
    rf"(?:#[¡¿]?[A-ZÀ-Þ\u0100-\u017f\u0410-\u042f\u0401/0_.]{{2,20}}[ \u00a0\u202f]?[!?]|#(?:{_BARE_ERRORS})|#{{3,}}|"
    r"Err:5[0-9]{2}|Error 20[0-9]{2}|Loading(?:\.\.\.|\u2026)|-?1\.#(?:QNAN|SNAN|IND|INF)[0-9]*)"
)
_SPREADSHEET_ERROR: Final = re.compile(_AN_ERROR)
_ERRORS_BEGIN: Final = frozenset("#EL1-")
# A number of 13 digits or more of which six are left, the rest zeros: 4.98765E+15 formatted as a number.
_A_ROUNDED: Final = r"[1-9][0-9]{0,5}0{7,}"
_ROUNDED: Final = re.compile(_A_ROUNDED)
_SHORTEST_ROUNDED: Final = 13
# What stands for a letter that a conversion could not write.
LOST: Final = "\ufffd"
_ALL_LOST: Final = re.compile(r"\?{2,}")
# A phone number, a name or an address of which some characters are hidden: 138****1234, a***@mail.com, 138xxxx1234.
_STARS: Final = "[*\uff0a\u2217\u2022\u25cf\u25a0\u2588\u25cb\u25ef]"
_BY_STARS: Final = rf"{_STARS}{{2}}|(?:{_STARS}[^|*]{{0,{LONGEST_WORD}}}){{3}}"
_AROUND_DIGIT: Final = r"[0-9 +().\-]"
# Between runs of x stands at least one other character: else a long run could be cut in many ways, and be tried in all.
_BY_LETTERS: Final = (
    rf"{_AROUND_DIGIT}*[xX]{{3,}}(?:{_AROUND_DIGIT}+[xX]{{3,}})*{_AROUND_DIGIT}*|"
    rf"{_AROUND_DIGIT}*[0-9][?#]{{3,}}{_AROUND_DIGIT}*"
)
_MASKED: Final = re.compile(rf"(?=.{{1,{LONGEST_WORD}}}\Z)(?:{_BY_LETTERS})\Z|.*?(?:{_BY_STARS})", re.DOTALL)
# Any of these, as one of texts with bars around each, may be masked.
MASKED_TEXT: Final = re.compile(rf"{_STARS}[^|]*{_STARS}|\|(?:{_BY_LETTERS})\|")
# Any of these among texts with bars around each.
DOUBTFUL_TEXT: Final = re.compile(rf"\|(?:{_A_ROUNDED}|\?{{2,}}|{_AN_ERROR})\|")


def is_word_for_nothing(text: str) -> bool:
    """Whether a text stands where a program or a cashier had no value."""
    return text in NOTHING or text in NOT_FOUND


def is_spreadsheet_error(text: str) -> bool:
    """Whether a text stands where a spreadsheet had a value that it could not work out, or had no room for."""
    return text[:1] in _ERRORS_BEGIN and _SPREADSHEET_ERROR.fullmatch(text) is not None


def names_nobody(text: str) -> bool:
    """Whether a text in place of a person's id says that the person is not known."""
    return len(text) <= LONGEST_WORD and text.casefold() in _IN_SMALL_LETTERS


def none_names_nobody(texts: Collection[str]) -> bool:
    """Whether none of these texts in place of a person's id says that the person is not known, nor is such a number."""
    return NO_NUMBERS.isdisjoint(texts) and _IN_SMALL_LETTERS.isdisjoint(map(str.casefold, texts))


def is_number_for_nobody(text: str) -> bool:
    """Whether a number in place of a person's id is one that shops give to those who have none."""
    return text in NO_NUMBERS


def has_lost_letters(text: str) -> bool:
    """Whether letters of a text were lost in a conversion, so that different texts may have become one."""
    return LOST in text or (text[:1] == "?" and _ALL_LOST.fullmatch(text) is not None)


def is_rounded(text: str) -> bool:
    """Whether a long number has zeros in place of its last digits, as a spreadsheet leaves it that has shortened it."""
    return len(text) >= _SHORTEST_ROUNDED and text[-1] == "0" and _ROUNDED.fullmatch(text) is not None


def is_masked(text: str) -> bool:
    """Whether characters of a text are hidden, so that those of several people may have become one."""
    return _MASKED.match(text) is not None
