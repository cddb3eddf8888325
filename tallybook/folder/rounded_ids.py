"""Finds long numbers in a file that a spreadsheet has cut to fifteen digits: all digits after these are zeros."""

from collections.abc import Iterator
from typing import Final

from processors.intake.refusal import quoted
from schemas.facts import PublishedFact

# How many digits of a number a spreadsheet keeps (IEEE 754 doubles, as they are shown).
KEPT_DIGITS: Final = 15
# That this many different numbers end in zeros by chance happens in one of ten thousand files, or less often.
ENOUGH: Final = 4
MAX_HELD: Final = 8
_NO_MARKS: Final = dict.fromkeys(map(ord, ",.'\u2019 \u00a0\u202f\u2009"))
FIELDS: Final = ("event_id", "order_id", "member_id", "referrer_id", "referee_id")


class RoundedIds:
    """Looks at the ids of files; a field in which a long number has all its digits is looked at no further."""

    def __init__(self) -> None:
        self._ending_in_zeros: dict[str, set[str]] = {field: set() for field in FIELDS}

    def look_at(self, fact: PublishedFact) -> None:
        """Look at the ids of one fact."""
        for field in tuple(self._ending_in_zeros):
            value = getattr(fact, field, None)
            if value is None or len(value) <= KEPT_DIGITS:
                continue
            if not value.isdigit():
                value = _without_marks(value)
                if len(value) <= KEPT_DIGITS:
                    continue
            held = self._ending_in_zeros[field]
            # A spreadsheet that takes an id for a number leaves out its first zeros.
            if value[0] == "0" or value[KEPT_DIGITS:].strip("0"):
                del self._ending_in_zeros[field]
            elif len(held) < MAX_HELD:
                held.add(value)

    def told(self) -> Iterator[str]:
        """What to say of each field whose long numbers all end in zeros."""
        for field, held in self._ending_in_zeros.items():
            if len(held) >= ENOUGH:
                yield (
                    f"each {field} of more than {KEPT_DIGITS} digits ends in zeros, such as {quoted(min(held))}: a "
                    f"spreadsheet keeps {KEPT_DIGITS} digits of a number, and two ids may have become one. Export them "
                    "as text (in a spreadsheet: give the column the format Text before the numbers come in)"
                )


def _without_marks(value: str) -> str:
    """The digits of a number that is grouped or has decimals (498,765,432,109,876,000.00); nothing of another text."""
    if value[-1] != "0" or not value[0].isdigit():
        return ""
    digits = value.translate(_NO_MARKS)
    return digits if digits.isdigit() else ""
