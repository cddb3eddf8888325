"""Finds members whose ids look alike: one person whose points would lie in two accounts.

The audit `look_alike_ids` compares the ids in the books by the same rules.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from processors.intake.refusal import quoted

MAX_EXAMPLES: Final = 3
_GUARDS: Final = frozenset("\"'`´=‘’“”\u034f\u115f\u1160\u2800")  # noqa: RUF001 - quotes of every kind
_UNSEEN: Final = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})
_SELECTORS: Final = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
# A phone number, once its blanks are gone.
_PHONE: Final = re.compile(r"\+?[0-9(][0-9().-]{8,20}", re.ASCII)
_PHONE_DIGITS: Final = range(10, 16)
# Numbers of mobile phones with the code of their country: China, Germany, Britain, France, Spain, Italy, Japan, Korea,
# Taiwan, Australia, India and Russia; then those of North America, mobile or not.
_ABROAD: Final = re.compile(
    r"86(?=1[3-9][0-9]{9}$)|49(?=1[5-7][0-9]{8,9}$)|44(?=7[0-9]{9}$)|33(?=[67][0-9]{8}$)|34(?=[67][0-9]{8}$)|"
    r"39(?=3[0-9]{8,9}$)|81(?=[789]0[0-9]{8}$)|82(?=10[0-9]{8}$)|886(?=9[0-9]{8}$)|61(?=4[0-9]{8}$)|"
    r"91(?=[6-9][0-9]{9}$)|7(?=9[0-9]{9}$)"
)
_NORTH_AMERICA: Final = re.compile(r"1(?=[2-9][0-9]{2}[2-9][0-9]{6}$)")


def plain_id(written: str) -> str:
    """A member's id without case, width, blanks, quotes, first zeros, and the form of a phone number."""
    if not written.isalnum() or not written.isascii():
        seen = unicodedata.normalize("NFKC", written).upper()
        written = "".join([one for one in seen if not _is_unseen(one)])
    plain = written.upper().lower()
    if not plain[-1:].isdecimal():
        return plain
    if _PHONE.fullmatch(plain):
        digits = re.sub(r"[^0-9]", "", plain)
        plain = digits if len(digits) in _PHONE_DIGITS else plain
    if plain.isascii() and plain.isdecimal():
        plain = plain.lstrip("0") or "0"
        plain = _NORTH_AMERICA.sub("", _ABROAD.sub("", plain, count=1), count=1) if len(plain) >= 10 else plain
    return plain


def look_alikes(members: Iterable[str]) -> list[str]:
    """Say in one line, or none, which of the members look alike."""
    first: dict[str, str] = {}
    found: dict[str, str] = {}
    for member in sorted(members):
        plain = plain_id(member)
        if plain in first:
            found.setdefault(plain, member)
        else:
            first[plain] = member
    if not found:
        return []
    pairs = [f"{quoted(first[plain])} and {quoted(other)}" for plain, other in list(found.items())[:MAX_EXAMPLES]]
    more = len(found) - len(pairs)
    shown = ", ".join(pairs) + (f", and {more:,} more" if more > 0 else "")
    told = (
        f"members look alike, and differ only in case, blanks, first zeros or the form of a phone number: {shown}. If "
        "each of these is one person, the points lie in several accounts: write an id in one way where it comes from"
    )
    return [told]


def _is_unseen(one: str) -> bool:
    return one in _GUARDS or unicodedata.category(one) in _UNSEEN or any(ord(one) in each for each in _SELECTORS)
