"""Knows which names columns have in the exports of shops and tills; the names themselves stand in known_names.txt."""

import re
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Final

NO_SALE: Final = "no-sale"
FOOTER: Final = "footer"
DONE: Final = "done"
EXTRA: Final = "extra"
_OF_CELLS: Final = frozenset([NO_SALE, FOOTER, DONE, EXTRA])
_NO_LETTER: Final = re.compile(r"[\W_]+")
_IN_BRACKETS: Final = re.compile(r"[(\[【].*?[)\]】]")


def plain(name: str) -> str:
    """A name as it is compared: its letters and digits in small letters, without what stands in brackets."""
    folded = unicodedata.normalize("NFKC", name)
    without = _NO_LETTER.sub("", _IN_BRACKETS.sub("", folded))
    return (without or _NO_LETTER.sub("", folded)).casefold()


def rank_of(meaning: str, name: str) -> int | None:
    """How surely a name has a meaning (such as `amount`): 0 is surest; None if it says nothing of it."""
    return _ranks()[meaning].get(plain(name))


def is_known(name: str) -> bool:
    """Whether a name is that of a column, whatever it means."""
    folded = plain(name)
    return bool(folded) and any(folded in known for meaning, known in _ranks().items() if meaning not in _OF_CELLS)


@cache
def _ranks() -> dict[str, dict[str, int]]:
    ranks: dict[str, dict[str, int]] = {}
    for line in files(__package__).joinpath("known_names.txt").read_text("utf-8").splitlines():
        meaning, _, names = line.partition(":")
        if not line.startswith("#"):
            known = ranks.setdefault(meaning, {})
            for name in names.split(","):
                known.setdefault(plain(name), len(known))
    return ranks
