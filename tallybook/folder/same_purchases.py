"""Finds purchases that came under another key: in the books already, or twice in the inputs.

A spreadsheet that saves an export again writes its cells in another way (`03.11.26` for `03.11.2026`, `2` for `02`),
and with them the keys that a mapping joins of such cells. The decider then sees other orders, and pays them again.
Two keys are of one purchase if member, time and lines are the same, and if they are two spellings of one key, or the
time is exact to the second: a member may buy the same thing twice in a minute, or on a day of which no time is known.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from books.log import LogReader
from processors.intake.door import Judge
from processors.intake.input_files import Input
from processors.intake.refusal import Refusal, quoted
from schemas.facts import PublishedFact, PurchaseRecorded
from tallybook.screen import counted

MAX_COMPARED: Final = 100_000  # purchases of the inputs, at some 300 bytes each: enough to see what a file is
MAX_ALIKE: Final = 64  # keys of one purchase that are told apart
# The share of the purchases that must lie before the last tick for an import to read the journal because of them.
ONE_IN: Final = 10
MINUTE_MS: Final = 60_000  # a spreadsheet may take the seconds away
ACCEPT: Final = "--accept-other-keys"
_NUMBER: Final = re.compile(r"[0-9]+", re.ASCII)
_NO_LETTERS: Final = re.compile(r"[\W\d_]+")
_YEAR: Final = re.compile(r"\A(?:19|20)([0-9]{2})\Z", re.ASCII)
_REASON: Final = (
    "Was this file, or the one before, saved again by a spreadsheet? It writes 03.11.26 for 03.11.2026 and 2 for 02, "
    "and the keys that are made of such cells change. Import files as the shop's system writes them; what is in the "
    "books need not come again"
)


class _Told(NamedTuple):
    """A key under which a purchase came, and when it happened (UTC ms)."""

    source: str
    event_id: str
    at: int

    @property
    def key(self) -> tuple[str, str]:
        """The key."""
        return self.source, self.event_id

    @property
    def name(self) -> str:
        """The key as one text."""
        return f"{self.source}/{self.event_id}"


class Found(NamedTuple):
    """What was found of `compared` purchases; `new` of them stand under keys that the books do not hold.

    `in_books` of the new ones are in the books under other keys; `twice` others came before in the inputs, under other
    keys. The pairs are examples: a key of the inputs and that in the books, and two keys of the inputs.
    """

    compared: int = 0
    new: int = 0
    in_books: int = 0
    twice: int = 0
    in_books_pair: tuple[str, str] | None = None
    twice_pair: tuple[str, str] | None = None

    @property
    def is_mostly_known(self) -> bool:
        """Whether more than half of what would be new is in the books: so much is no chance."""
        return self.in_books * 2 > self.new

    def warnings(self) -> list[str]:
        """Say what was found, and what to do."""
        told = []
        if self.in_books:
            told.append(f"{self._known()}. Imported, {_they(self.in_books)} paid a second time. {_REASON}")
        if self.twice:
            told.append(
                f"{self._counted(self.twice)} came twice, under two keys with the same member, time and lines"
                f"{_example('{} and {}', self.twice_pair)}. Each key is paid. If they are one "
                "purchase, take the second one out, or make the key of columns that are written alike each time"
            )
        return told

    def refusal(self) -> str:
        """Say why such inputs are not taken in, and what to do."""
        return (
            f"{self._known()}. Imported, {_they(self.in_books)} paid a second time; nothing was changed.\n"
            f"{_REASON}. If these are other purchases, take them in: {ACCEPT}"
        )

    def _known(self) -> str:
        verb = "is" if self.in_books == 1 else "are"
        return (
            f"{self._counted(self.in_books)} {verb} in the books already under another key, with the same member, time "
            f"and lines{_example('{} is there as {}', self.in_books_pair)}"
        )

    def _counted(self, count: int) -> str:
        first = "the first " if self.compared == MAX_COMPARED else ""
        return f"{count:,} of {first}{counted(self.compared, 'purchase')} of members"


class SamePurchases:
    """Notes the purchases of members while inputs are read; `found` tells which came under another key as well.

    `last_tick` (UTC ms) is that of the books, 0 without: what happened later cannot be there. With `only_late` it is
    not noted, and nothing is found twice in the inputs. Guests earn nothing, and are left out.
    """

    def __init__(self, last_tick: int, *, only_late: bool = False) -> None:
        self.only_late = only_late
        self._last_minute = last_tick // MINUTE_MS if last_tick else -1
        self._noted: dict[int, tuple[_Told, ...]] = {}
        self._booked: dict[int, list[_Told]] = {}
        self._minutes: set[int] = set()
        self._compared = 0
        self._late = 0

    def noting(self, judge: Judge) -> Judge:
        """The same judge; each purchase of a member that it lets pass is noted."""

        def judged(fact: PublishedFact) -> Refusal | None:
            refusal = judge(fact)
            if refusal is None and type(fact) is PurchaseRecorded and fact.member_id is not None:
                self.note(fact)
            return refusal

        return judged

    def note(self, fact: PurchaseRecorded) -> None:
        """Note one purchase of a member, up to MAX_COMPARED."""
        if self._compared >= MAX_COMPARED:
            return
        self._compared += 1
        minute = fact.occurred_at // MINUTE_MS
        if minute <= self._last_minute:
            self._late += 1
            self._minutes.add(minute)
        elif self.only_late:
            return
        purchase, told = _purchase(fact), _Told(fact.source, fact.event_id, fact.occurred_at)
        alike = self._noted.get(purchase)
        if alike is None:
            self._noted[purchase] = (told,)
        elif len(alike) < MAX_ALIKE:
            self._noted[purchase] = (*alike, told)

    def is_worth_reading(self, already: int) -> bool:
        """Whether so many may be in the books that an import reads the journal; `already` records are known of it."""
        late = self._late - already
        return late > 0 and late * ONE_IN >= self._compared - already

    def look_up(self, log: LogReader, on_line: Callable[[int], object] = lambda _: None) -> None:
        """Look for the noted purchases in the journal; `on_line` is told how many lines of it were read."""
        for partition in range(log.partitions if self._minutes else 0):
            for _, page in log.read_journal(partition):
                on_line(len(page.lines))
                for line in page.lines:
                    fact = line.fact
                    if isinstance(fact, PurchaseRecorded) and fact.occurred_at // MINUTE_MS in self._minutes:
                        self._note_booked(fact)

    def found(self) -> Found:
        """What was found."""
        found = Found(self._compared)
        for purchase, noted in self._noted.items():
            booked = self._booked.get(purchase, [])
            if len(noted) == 1 and not booked:
                found = found._replace(new=found.new + 1)
            else:
                found = _compared(found, noted, booked)
        return found

    def _note_booked(self, fact: PurchaseRecorded) -> None:
        if fact.member_id is None:
            return
        purchase = _purchase(fact)
        if purchase in self._noted:
            alike = self._booked.setdefault(purchase, [])
            if len(alike) < MAX_ALIKE:
                alike.append(_Told(fact.source, fact.event_id, fact.occurred_at))


def are_tables(inputs: Sequence[Input]) -> bool:
    """Whether all inputs are tables, of which the keys may be made of cells."""
    return all(one.mapping is not None for one in inputs)


def _compared(found: Found, noted: Sequence[_Told], booked: Sequence[_Told]) -> Found:
    """Compare the keys of one purchase in the inputs with those in the books, and with each other."""
    given, there = {one.key: one for one in noted}, {one.key: one for one in booked}
    before = [one for key, one in given.items() if key in there]
    free = [one for key, one in there.items() if key not in given]  # each stands for one of the new ones
    for key, one in given.items():
        if key in there:
            continue
        found = found._replace(new=found.new + 1)
        known = next((other for other in free if _are_one(one, other)), None)
        told = next((other for other in before if _are_one(one, other)), None)
        if known is not None:
            free.remove(known)
            pair = min(found.in_books_pair or (one.name, known.name), (one.name, known.name))
            found = found._replace(in_books=found.in_books + 1, in_books_pair=pair)
        elif told is not None:
            both = min(one.name, told.name), max(one.name, told.name)
            pair = min(found.twice_pair or both, both)
            found = found._replace(twice=found.twice + 1, twice_pair=pair)
        before.append(one)
    return found


def _are_one(one: _Told, other: _Told) -> bool:
    """Whether two keys, under which the same was bought in the same minute, are of one purchase."""
    has_seconds = one.at % MINUTE_MS > 0 and other.at % MINUTE_MS > 0
    if has_seconds:
        return one.at == other.at
    return _spelling(one.event_id) == _spelling(other.event_id)


def _spelling(event_id: str) -> tuple[str, list[str]]:
    """A key's letters and numbers, whatever the order of a date's parts, its century, and zeros before a number."""
    numbers = [_YEAR.sub(r"\1", one).lstrip("0") for one in _NUMBER.findall(event_id)]
    return _NO_LETTERS.sub("", event_id).casefold(), sorted(filter(None, numbers))


def _example(words: str, pair: tuple[str, str] | None) -> str:
    return f": {words.format(*map(quoted, pair))}" if pair else ""


def _they(count: int) -> str:
    return "it is" if count == 1 else "they are"


def _purchase(fact: PurchaseRecorded) -> int:
    """What a purchase says, to the minute, whatever the order of its lines and the zeros that its ids begin with."""
    member = (fact.member_id or "").lstrip("0")
    lines = [(line.sku.lstrip("0"), line.amount_minor, line.quantity_milli) for line in fact.lines]
    lines.sort()
    return hash((member, fact.occurred_at // MINUTE_MS, fact.currency, *lines))
