"""Knows ids that would pool people or things: words for nothing and nobody, errors of spreadsheets, lost letters."""

import re
from collections.abc import Collection
from typing import Final

# Fields that name a person.
PEOPLE: Final = frozenset({"member_id", "referrer_id", "referee_id"})
# Fields that identify something: a text that may stand for two different ids is refused there.
ID_FIELDS: Final = frozenset({
    "source", "event_id", "order_id", "member_id", "referrer_id", "referee_id", "store_id", "content_id", "sku",
})  # fmt: skip
# Fields in which a number that was rounded pools people, or orders.
OF_ONE: Final = PEOPLE | {"event_id", "order_id"}
LONGEST_WORD: Final = 40

# What databases, spreadsheets and cashiers write where there is no value.
_NOTHING: Final = frozenset({
    "NULL", "null", "Null", "(null)", "<null>", "<NULL>", "[NULL]", "[null]", "\\N", "None", "nil", "NaN", "nan", "NaT",
    "<NA>", "undefined", "[object Object]", "N/A", "n/a", "N.A.", "n.a.", "(blank)", "(none)", "(leer)",
    "-", "--", "---", "/", "?", "无", "暂无", "散客", "非会员", "匿名",
    "00000000-0000-0000-0000-000000000000", "{00000000-0000-0000-0000-000000000000}",
})  # fmt: skip
# How a spreadsheet says that it found no value, in several languages.
_NOT_FOUND: Final = frozenset({"#N/A", "#N/A!", "#NA", "#NV", "#N/D", "#NULL!"})
# What tills and shops call a buyer whom they do not know, in small letters.
_NOBODY: Final = frozenset({
    "none", "nil", "null", "nan", "na", "unknown", "anonymous", "guest", "guest customer", "guest user", "walk-in",
    "walk in", "walkin", "walk-in customer", "walk in customer", "cash customer", "no customer", "not available",
    "gast", "laufkunde", "laufkundschaft", "anonym", "unbekannt", "client de passage", "anonyme", "consumidor final",
    "público en general", "publico en general", "cliente ocasional", "ospite", "散户", "游客", "无名氏", "普通顾客",
    "现金客户", "一般顧客", "ゲスト", "비회원",
})  # fmt: skip
_IN_SMALL_LETTERS: Final = _NOBODY | {word.casefold() for word in _NOTHING | _NOT_FOUND}
# The number that shops give to those who have none.
_NO_NUMBERS: Final = frozenset({"0", "-1", "0000", "00000", "000000", "0000000", "00000000"})
# All of these as they are mostly written, so that one look finds them.
NOBODY_AS_WRITTEN: Final = _NO_NUMBERS.union(
    written
    for word in _NOBODY | _NOTHING | _NOT_FOUND
    for written in (word, word.lower(), word.upper(), word.capitalize(), word.title())
)
# How a spreadsheet says that it could not work out a value, in several languages, or had no room to show it.
_AN_ERROR: Final = r"(?:#[¡¿]?[A-ZÀ-Þ/0]{2,12}[!?]|Err:5[0-9]{2}|#{3,})"
_SPREADSHEET_ERROR: Final = re.compile(_AN_ERROR)
# A number of 13 digits or more of which six are left, the rest zeros: 4.98765E+15 formatted as a number.
_A_ROUNDED: Final = r"[1-9][0-9]{0,5}0{7,}"
_ROUNDED: Final = re.compile(_A_ROUNDED)
_SHORTEST_ROUNDED: Final = 13
# What stands for a letter that a conversion could not write.
LOST: Final = "\ufffd"
_ALL_LOST: Final = re.compile(r"\?{2,}")
# Any of these among texts with bars around each.
DOUBTFUL_TEXT: Final = re.compile(rf"\|(?:{_A_ROUNDED}|\?{{2,}}|{_AN_ERROR})\|")


def is_word_for_nothing(text: str) -> bool:
    """Whether a text stands where a program or a cashier had no value."""
    return text in _NOTHING or text in _NOT_FOUND


def is_spreadsheet_error(text: str) -> bool:
    """Whether a text stands where a spreadsheet had a value that it could not work out, or had no room for."""
    return text[:1] in {"#", "E"} and _SPREADSHEET_ERROR.fullmatch(text) is not None


def names_nobody(text: str) -> bool:
    """Whether a text in place of a person's id says that the person is not known."""
    return len(text) <= LONGEST_WORD and text.casefold() in _IN_SMALL_LETTERS


def none_names_nobody(texts: Collection[str]) -> bool:
    """Whether none of these texts in place of a person's id says that the person is not known, nor is such a number."""
    return _NO_NUMBERS.isdisjoint(texts) and _IN_SMALL_LETTERS.isdisjoint(map(str.casefold, texts))


def is_number_for_nobody(text: str) -> bool:
    """Whether a number in place of a person's id is one that shops give to those who have none."""
    return text in _NO_NUMBERS


def has_lost_letters(text: str) -> bool:
    """Whether letters of a text were lost in a conversion, so that different texts may have become one."""
    return LOST in text or (text[:1] == "?" and _ALL_LOST.fullmatch(text) is not None)


def is_rounded(text: str) -> bool:
    """Whether a long number has zeros in place of its last digits, as a spreadsheet leaves it that has shortened it."""
    return len(text) >= _SHORTEST_ROUNDED and text[-1] == "0" and _ROUNDED.fullmatch(text) is not None
