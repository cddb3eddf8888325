"""Writes dates whose month has a name as figures: 1 Nov 2026, Nov 1, 2026 and 01-NOV-26 become 2026-11-01."""

import re
from typing import Final

# The first three letters of the months in English, German, French, Spanish, Italian, Portuguese and Dutch.
_MONTHS: Final = {
    beginning: month
    for month, beginnings in enumerate(
        (
            "jan ene gen",
            "feb fév fev",
            "mar mär mrt",
            "apr abr avr",
            "may mai mag maj mei",
            "jun giu",
            "jul lug",
            "aug aoû aou ago",
            "sep set",
            "oct okt ott out",
            "nov",
            "dec dez déc dic",
        ),
        1,
    )
    for beginning in beginnings.split()
}
_FRENCH_SUMMER: Final = {"juin": 6, "juil": 7}
_DAY: Final = r"(?P<{}>[0-9]{{1,2}})(?:st|nd|rd|th|er)?"
_NAMED: Final = re.compile(
    r"(?:[^\W\d_]{2,10}\.?,?\s{1,2})?"  # the day of the week
    rf"(?:{_DAY.format('d')}[-\s/.]{{1,2}}(?:de\s)?(?P<m>[^\W\d_]{{3,10}})\.?[-\s/.,]{{1,2}}(?:de\s)?(?P<y>[0-9]{{4}}|[0-9]{{2}})"
    rf"|(?P<m2>[^\W\d_]{{3,10}})\.?\s{{1,2}}{_DAY.format('d2')},?\s{{1,2}}(?P<y2>[0-9]{{4}}))"
    r"(?:(?:,?\s{1,3}(?:at\s)?|T)(?P<rest>[0-9].*))?"
)
_POINTED: Final = re.compile(r"(?P<y>[0-9]{4})\. (?P<m>[0-9]{1,2})\. (?P<d>[0-9]{1,2})\.?(?P<rest> .*)?")
# After an offset some programs name the zone once more.
_ZONE_AGAIN: Final = re.compile(r"(.*[+-][0-9]{4})\s\([^()]{1,60}\)")
_DOTTED_CLOCK: Final = re.compile(r"([0-9]{1,2})\.([0-9]{2})(?:\.([0-9]{2}))?(?![0-9])")


def in_figures(text: str) -> str | None:
    """A date, or a date and time, whose month has a name, in the figures of ISO 8601; None if it is none.

    So is a date as Korean programs write it, with a point after each figure.
    """
    pointed = _POINTED.fullmatch(text)
    if pointed is not None:
        return f"{pointed['y']}-{int(pointed['m']):02}-{int(pointed['d']):02} {(pointed['rest'] or '').strip()}".strip()
    found = _NAMED.fullmatch(text)
    if found is None:
        return None
    month = _month((found["m"] or found["m2"]).casefold())
    if month is None:
        return None
    year = found["y"] or found["y2"]
    if len(year) == len("26"):
        year = ("19" if year >= "70" else "20") + year
    day = f"{year}-{month:02}-{int(found['d'] or found['d2']):02}"
    rest = found["rest"]
    if rest is None:
        return day
    again = _ZONE_AGAIN.fullmatch(rest)
    rest = again[1] if again else rest
    dotted = _DOTTED_CLOCK.match(rest)
    if dotted:
        rest = ":".join(part for part in dotted.groups() if part) + rest[dotted.end() :]
    return f"{day} {rest}"


def _month(name: str) -> int | None:
    return _FRENCH_SUMMER.get(name[:4]) or _MONTHS.get(name[:3])
