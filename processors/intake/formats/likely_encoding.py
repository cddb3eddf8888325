"""Finds out which encoding a text that is not UTF-8 seems to have, by what its letters would be in each of them."""

import codecs
import re
from collections.abc import Callable
from functools import cache
from typing import Final, NamedTuple, get_args

from processors.intake.mapping import Encoding

# The names that Python has for the encodings of a mapping; those that it has by the same name are left out.
PYTHON_NAMES: Final[dict[str, str]] = {
    "big5": "cp950",
    "shift-jis": "cp932",
    "euc-kr": "cp949",
    "windows-1250": "cp1250",
    "windows-1251": "cp1251",
    "windows-1252": "cp1252",
    "windows-1253": "cp1253",
    "windows-1254": "cp1254",
}

_LOOKED_AT: Final = 4_096  # bytes
# Of the letters that are not ASCII so many must be usual in the encoding's languages, and so many more than in another.
_LEAST: Final = 0.8
_MARGIN: Final = 0.1
_KNOWN_COUNT: Final = 0.5  # what it adds to the share of a text that all of it stands in known headers
# Letters by whose bytes Korean is told from Chinese: of eight Chinese ones, one is hardly ever missing in Korean.
_ENOUGH: Final = 8

_WORD: Final = re.compile(r"[^\W\d_]+")
_VOWELS: Final = frozenset("aeiouy")
_CONSONANTS: Final = frozenset("bcdfghjklmnpqrstvwxz")
_WESTERN: Final = frozenset("àáâãäåæçèéêëìíîïñòóôõöøùúûüßœÀÁÂÄÅÆÇÈÉÊËÍÎÏÑÓÔÕÖØÚÛÜŒ")
_CENTRAL: Final = frozenset("áâäąćčçďđéęëěíîľłńňóôöőřśšşťúůűüýźžżăßÁÂÄĄĆČÇĎÉĘËĚÍÎĽŁŃŇÓÔÖŐŘŚŠŞŤÚŮŰÜÝŹŽŻĂ")
_TURKISH: Final = frozenset("çğıöşüâîûÇĞİÖŞÜ")
_BALTIC: Final = frozenset("āčēģīķļņšūžąęėįųĀČĒĢĪĶĻŅŠŪŽĄĘĖĮŲ")
_GREEK: Final = frozenset("αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩΆΈΉΊΌΎΏ")
_CYRILLIC: Final = frozenset(map(chr, range(0x410, 0x450))) | frozenset("ЁёІіЇїЄєҐґЎў")
_HEBREW: Final = frozenset(map(chr, range(0x5D0, 0x5EB)))
_HEBREW_AT_THE_END: Final = frozenset("ךםןףץ")
_KANA: Final = frozenset(map(chr, (*range(0x3041, 0x3097), *range(0x30A1, 0x30FB), 0x30FC)))
_NARROW_KANA: Final = frozenset(map(chr, range(0xFF66, 0xFFA0)))
_NARROW_A_TO_SU: Final = re.compile("[\uff71-\uff7d]")
# Marks that stand in texts of many languages.
_MARKS: Final = frozenset(map(chr, (
    0xA0, 0xA3, 0xAB, 0xB0, 0xB7, 0xBB, *range(0x2010, 0x2027), 0x20AC, 0x2116, *range(0x3000, 0x3016), 0xFF01, 0xFF08,
    0xFF09, 0xFF0C, 0xFF0D, 0xFF1A, 0xFF1B, 0xFF1F, 0xFF5E, 0xFFE5,
)))  # fmt: skip
# What stands in the headers of orders, by which languages are told apart where bytes alone do not tell.
_KNOWN: Final = {
    "gb18030": frozenset("订单编号金额会员姓名称时间商品数量价格实付状态日期支付手机卡店铺买家地址元合计"),
    "big5": frozenset("訂單編號金額會員姓名稱時間商品數量價格實付狀態日期支付手機卡店鋪買家地址元合計"),
    "shift-jis": frozenset("注文番号会員名日時商品金額数量価格店舗合計円税込"),
    "euc-jp": frozenset("注文番号会員名日時商品金額数量価格店舗合計円税込"),
    "euc-kr": frozenset("주문번호회원상품금액수량일시결제명점포매장고객이름전화카드원날짜합계시간"),
}


class _Candidate(NamedTuple):
    """An encoding; `is_usual` says of a letter at a place of a word whether its languages are written so."""

    name: str
    is_usual: Callable[[str, int], bool]


def likely_encoding(raw: bytes) -> Encoding | None:
    """The encoding of those that a mapping can name that some text, which is not UTF-8, seems to have.

    None if that is not clear: if letters of no encoding make up the text, or those of several do.
    """
    raw = raw[:_LOOKED_AT]
    if b"\x00" in raw:
        return "utf-16"
    found = [(_score(text, one), text, one.name) for one in _CANDIDATES if (text := _decoded(raw, one.name))]
    found.sort(key=lambda each: -each[0])
    if not found or found[0][0] < _LEAST:
        return None
    best, text, name = found[0]
    rivals = {other for score, said, other in found if said != text and score > best - _MARGIN}
    if {name, *rivals} == {"gb18030", "euc-kr"}:
        korean = _decoded(raw, "euc-kr")
        return "euc-kr" if sum(not one.isascii() for one in korean) >= _ENOUGH else None
    return None if rivals else next((one for one in get_args(Encoding) if one == name), None)


def _decoded(raw: bytes, name: str) -> str:
    """The text of bytes in an encoding, the last of them perhaps half a letter; nothing if they are none in it."""
    try:
        text = codecs.getincrementaldecoder(PYTHON_NAMES.get(name, name))().decode(raw, final=False)
    except UnicodeDecodeError:
        return ""
    return text if name not in _NEEDED or _NEEDED[name](text) else ""


def _has_kana(text: str) -> bool:
    return not _KANA.isdisjoint(text)


def _is_like_big5(text: str) -> bool:
    """Whether some second bytes are ASCII, as none are in GB18030, and some are not, as all are in Western text."""
    seconds = {len(written) == 2 and written[1] >= 0xA1 for one in text if len(written := _bytes_of(one, "big5")) == 2}
    return len(seconds) == 2


# What a text in an encoding hardly ever is without.
_NEEDED: Final[dict[str, Callable[[str], bool]]] = {"euc-jp": _has_kana, "big5": _is_like_big5}


def _score(text: str, candidate: _Candidate) -> float:
    """The share of usual letters among those that are not ASCII, and more where these are known from headers."""
    others = sum(not one.isascii() and not one.isalpha() and one not in _MARKS for one in text)
    letters, usual, known = others, 0, 0
    headers = _KNOWN.get(candidate.name, frozenset())
    for word in _WORD.findall(text):
        for at, letter in enumerate(word):
            if not letter.isascii():
                letters += 1
                usual += candidate.is_usual(word, at)
                known += letter in headers
    return (usual + known * _KNOWN_COUNT) / letters if letters else 0.0


def _is_cased(word: str) -> bool:
    return word.islower() or word.isupper() or (word[:1].isupper() and word[1:].islower())


def _latin(
    letters: frozenset[str], is_odd: Callable[[str, int], bool] = lambda _, __: False
) -> Callable[[str, int], bool]:
    """Of words in which ASCII letters stand beside the others, all of them as words have capital and small ones."""
    return lambda word, at: (
        word[at] in letters and _is_cased(word) and any(one.isascii() for one in word) and not is_odd(word.lower(), at)
    )


def _is_odd_in_the_west(word: str, at: int) -> bool:
    """Letters with accents seldom stand together, but for those of German, Portuguese and Spanish."""
    around = word[max(0, at - 1) : at] + word[at + 1 : at + 2]
    return word[at] not in "ßçñ" and any(not one.isascii() and one not in "ßçñ" for one in around)


def _is_odd_in_central_europe(word: str, at: int) -> bool:
    """Polish ń, Romanian ă and Hungarian ő are not before vowels; č, ć and ř seldom between consonants."""
    before, after = word[max(0, at - 1) : at], word[at + 1 : at + 2]
    if word[at] in "ńăőű":
        return after in _VOWELS
    return word[at] in "čćř" and before in _CONSONANTS and after not in _VOWELS and after.isascii()


def _other(letters: frozenset[str], only_at_end: frozenset[str] = frozenset()) -> Callable[[str, int], bool]:
    """Of words without any ASCII letter."""
    return lambda word, at: (
        word[at] in letters
        and not any(one.isascii() for one in word)
        and (word.lower() == word.upper() or _is_cased(word))
        and (word[at] not in only_at_end or at == len(word) - 1)
    )


@cache
def _bytes_of(letter: str, name: str) -> bytes:
    return letter.encode(PYTHON_NAMES.get(name, name), "replace")


def _east(
    name: str, first: range, second: int = 0x40, kana: frozenset[str] = frozenset()
) -> Callable[[str, int], bool]:
    """Of letters whose bytes are those of the most frequent ones."""

    def is_usual(word: str, at: int) -> bool:
        letter = word[at]
        if letter in _NARROW_KANA:
            return (
                letter in kana and _NARROW_A_TO_SU.search(word) is not None and not any(one.isascii() for one in word)
            )
        written = _bytes_of(letter, name)
        return letter in kana or (len(written) == 2 and written[0] in first and written[1] >= second)

    return is_usual


# Where two of them say the same, the first one is suggested. Those that no mapping can name are here as rivals.
_CANDIDATES: Final = (
    _Candidate("gb18030", _east("gb18030", range(0xB0, 0xD8), 0xA1)),
    _Candidate("big5", _east("big5", range(0xA4, 0xC7))),
    _Candidate("shift-jis", _east("shift-jis", range(0x88, 0x98), kana=_KANA | _NARROW_KANA)),
    _Candidate("euc-jp", _east("euc-jp", range(0xB0, 0xD0), 0xA1, _KANA)),
    _Candidate("euc-kr", _east("euc-kr", range(0xB0, 0xC9), 0xA1)),
    _Candidate("windows-1252", _latin(_WESTERN, _is_odd_in_the_west)),
    _Candidate("windows-1250", _latin(_CENTRAL, _is_odd_in_central_europe)),
    _Candidate("windows-1254", _latin(_TURKISH)),
    _Candidate("cp1257", _latin(_BALTIC)),
    _Candidate("windows-1251", _other(_CYRILLIC)),
    _Candidate("windows-1253", _other(_GREEK)),
    _Candidate("cp1255", _other(_HEBREW, _HEBREW_AT_THE_END)),
    _Candidate("cp850", _latin(_WESTERN, _is_odd_in_the_west)),
    _Candidate("mac-roman", _latin(_WESTERN, _is_odd_in_the_west)),
)
