"""Tells by the cells of a column what they look like: order of the date's parts, decimal mark, currency, zone."""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

from schemas.currencies import DECIMALS

_DATE: Final = re.compile(r"^\s*(\d{1,2})([./-])(\d{1,2})[./-](\d{2}|\d{4})(?!\d)")
_YEAR_FIRST: Final = re.compile(r"^\s*(\d{4}\D\d{1,2}\D\d{1,2}|\d{8}(\d{6})?\s*$|\d{8}T?\s*\d)")
_HAS_ZONE: Final = re.compile(r"(Z|[+-]\d{2}(:?\d{2})?|UTC|GMT)\s*$", re.IGNORECASE)
_CLOCK: Final = re.compile(r"\d{1,2}[:\u65f6\u6642h]\d{2}(:\d{2}(\.\d+)?)?(\s?[AaPp]\.?[Mm]\.?)?$")
_HAS_CLOCK: Final = re.compile(r"\d:\d{2}")
_COMMA_DECIMAL: Final = re.compile(r"^\d{1,3}(\.\d{3})+,\d+$|^\d+,(\d{1,2}|\d{4,})$")
_POINT_DECIMAL: Final = re.compile(r"^\d{1,3}(,\d{3})+\.\d+$|^\d+\.(\d{1,2}|\d{4,})$")
_NUMBER: Final = re.compile(r"\d[\d.,' ]*\d|\d")
_CODE: Final = re.compile(r"(?<![A-Za-z])[A-Z]{3}(?![A-Za-z])")
_SIGNS: Final = {"€": "EUR", "£": "GBP", "元": "CNY", "円": "JPY", "₹": "INR", "₩": "KRW", "zł": "PLN", "Kč": "CZK"}
# As tills of North America write zones, by the words that such a name begins with.
_ZONES: Final = {
    "eastern": "America/New_York",
    "central": "America/Chicago",
    "mountain": "America/Denver",
    "pacific": "America/Los_Angeles",
    "arizona": "America/Phoenix",
    "alaska": "America/Anchorage",
    "hawaii": "Pacific/Honolulu",
    "atlantic": "America/Halifax",
}
# Where shops are whose columns have names in such letters or words: currency and zone.
_AT_HOME: Final = {
    "zh": ("CNY", "Asia/Shanghai"),
    "ja": ("JPY", "Asia/Tokyo"),
    "de": ("EUR", "Europe/Berlin"),
    "fr": ("EUR", "Europe/Paris"),
    "es": ("EUR", "Europe/Madrid"),
}
_WORDS: Final = {
    "de": ("datum", "betrag", "menge", "anzahl", "kunde", "artikel", "beleg", "summe", "preis"),
    "fr": ("montant", "quantit\u00e9", "commande", "magasin", "remise", "facture", "heure"),
    "es": ("importe", "cantidad", "pedido", "tienda", "descuento", "factura", "fecha"),
}
# Words of Japanese without any of its own letters.
_JAPANESE: Final = ("番号", "店舗", "会員", "日時", "伝票", "値引", "販売", "区分")


def date_order(cells: Iterable[str]) -> tuple[str, str]:
    """In which order dates have year, month and day, and a doubt about it, which may be empty."""
    found = [match.groups() for cell in cells if (match := _DATE.match(cell))]
    if not found:
        return "ymd", ""
    first, second = ([int(groups[at]) for groups in found] for at in (0, 2))
    if max(first) > 12:
        return "dmy", ""
    if max(second) > 12:
        return "mdy", ""
    one, mark, other, year = found[0]
    order = "dmy" if mark == "." else "mdy" if mark == "/" else "dmy"
    return order, f"whether {one}{mark}{other}{mark}{year} begins with the day (dmy) or the month (mdy), no row tells"


def is_date(cells: Sequence[str]) -> bool:
    """Whether most cells begin with a date."""
    return 2 * sum(1 for cell in cells if _DATE.match(cell) or _YEAR_FIRST.match(cell)) > len(cells)


def is_written_date(cells: Sequence[str]) -> bool:
    """Whether most cells begin with a date that has marks between its parts, as no number has them."""
    return bool(cells) and is_date(cells) and not any(cell.isdigit() for cell in cells)


def is_clock(cells: Sequence[str]) -> bool:
    """Whether most cells are a time of day alone."""
    return bool(cells) and 2 * sum(1 for cell in cells if _CLOCK.match(cell)) > len(cells)


def has_offset(cells: Sequence[str]) -> bool:
    """Whether the times say how far they are from UTC."""
    return bool(cells) and all(_HAS_ZONE.search(cell) and _HAS_CLOCK.search(cell) for cell in cells)


def has_clock(cells: Iterable[str]) -> bool:
    """Whether there is a time of day in them."""
    return any(_HAS_CLOCK.search(cell) for cell in cells)


def decimal_mark(cells: Iterable[str], currency: str = "") -> tuple[str, str]:
    """The decimal mark of some amounts, and a doubt about it, which may be empty; `currency` is theirs, if known."""
    numbers = [match.group().replace(" ", "").replace("'", "") for cell in cells if (match := _NUMBER.search(cell))]
    commas = sum(1 for number in numbers if _COMMA_DECIMAL.match(number))
    points = sum(1 for number in numbers if _POINT_DECIMAL.match(number))
    if commas and points:
        return ("," if commas > points else "."), "some amounts have a decimal comma, some a decimal point"
    if commas or points or not any("," in number or "." in number for number in numbers):
        return ("," if commas else "."), ""
    told = next(number for number in numbers if "," in number or "." in number)
    if DECIMALS.get(currency) == 0:
        return ("." if "," in told else ","), f"{currency} has no decimals, so {told} is taken for thousands"
    return ".", f"whether {told} is more than a thousand, no row tells"


def is_number(cells: Sequence[str]) -> bool:
    """Whether most cells hold a number and few letters beside it."""
    numbers = [cell for cell in cells if (match := _NUMBER.search(cell)) and len(cell) - len(match.group()) <= 5]
    return bool(cells) and 2 * len(numbers) > len(cells)


def number(cell: str, mark: str) -> Decimal | None:
    """The number in a cell with this decimal mark; None if there is none."""
    found = _NUMBER.search(cell)
    if found is None:
        return None
    plain = "".join(letter for letter in found.group() if letter.isdigit() or letter == mark).replace(mark, ".")
    try:
        return -Decimal(plain) if "-" in cell[: found.start()] else Decimal(plain)
    except InvalidOperation:
        return None


class Home(NamedTuple):
    """Where a programme is at home: its rules' currency and time zone, where a file tells none."""

    currency: str
    timezone: str


def currency_of(names: Sequence[str], cells: Iterable[str], home: Home | None = None) -> tuple[str, str]:
    """The currency that names of columns or signs in cells tell, and a doubt about it, which may be empty."""
    for text in (*names, *cells):
        if code := next((code for code in _CODE.findall(text) if code in DECIMALS), None):
            return code, ""
        for sign, currency in _SIGNS.items():
            if sign in text:
                return currency, ""
        if "¥" in text or "￥" in text:
            return ("JPY", "") if language_of(names) == "ja" else ("CNY", "the sign ¥ may be that of JPY")
        if "$" in text:
            return "USD", "the sign $ may be that of another dollar"
    if home is not None:
        return home.currency, "the file does not tell its currency; this is that of the rules in this folder"
    return _AT_HOME.get(language_of(names), ("EUR", ""))[0], "the file does not tell its currency"


def zone_of(names: Sequence[str], cells: Iterable[str], home: Home | None = None) -> tuple[str, str]:
    """The time zone that a column of zones tells, or where such a file is at home, and a doubt about it."""
    for cell in cells:
        if zone := _ZONES.get(cell.split(" ", 1)[0].lower()):
            return zone, ""
    if home is not None:
        return home.timezone, "the file does not tell the zone of its clock; this is that of the rules in this folder"
    return _AT_HOME.get(language_of(names), ("", "UTC"))[1], "the file does not tell the zone of its clock"


def language_of(names: Iterable[str]) -> str:
    """The language of a header as far as it matters: zh, ja, de, fr, es or en."""
    text = " ".join(names)
    if any("\u3040" <= letter <= "\u30ff" for letter in text) or any(word in text for word in _JAPANESE):
        return "ja"
    if any("\u4e00" <= letter <= "\u9fff" for letter in text):
        return "zh"
    if any(letter in "äöüßÄÖÜ" for letter in text):
        return "de"
    found = {language: sum(1 for word in words if word in text.lower()) for language, words in _WORDS.items()}
    return max(found, key=lambda language: found[language]) if any(found.values()) else "en"
