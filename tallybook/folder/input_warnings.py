"""Warns of inputs that are taken in, and of which the programme's rules cannot pay all as it is meant."""

from collections.abc import Callable, Iterator, Sequence
from datetime import time
from functools import lru_cache
from typing import Final

import msgspec

from processors.decider.local_time import Zone
from processors.decider.rules.ruleset import Ruleset
from processors.decider.rules.timeline import in_force
from processors.intake.external_sort import Arrived
from processors.intake.input_files import Input
from processors.intake.mapping import columns_of
from processors.intake.refusal import quoted
from processors.zones import zone_data
from schemas.facts import ONE_UNIT_MILLI, PublishedFact, PurchaseRecorded, RulesetPublished
from tallybook.folder.doubtful_amounts import Amounts
from tallybook.folder.folder import load_published
from tallybook.folder.rounded_ids import RoundedIds
from tallybook.screen import counted

MAX_NAMED: Final = 5
MAX_MIDNIGHTS: Final = 4_096
# Where one fact in so many has no time of day, it is no chance: few are made at midnight to the millisecond.
ONE_IN: Final = 10
_QUARTER_HOUR_MS: Final = 900_000  # all zones differ from UTC by whole quarters of an hour


class _File(msgspec.Struct):
    """Counts the facts of one input; `at_midnight` has the first one of each kind that has no time of day.

    `has_members` says that it has rows of a member's order, which may begin in another file. `most_milli` is the
    largest of the quantities of its `lines`, which are counted until one is a whole unit or more.
    """

    facts: int = 0
    without_clock: int = 0
    orders: int = 0
    guests: int = 0
    has_members: bool = False
    lines: int = 0
    most_milli: int = 0
    at_midnight: dict[type, PublishedFact] = {}
    rounded: RoundedIds = msgspec.field(default_factory=RoundedIds)
    amounts: Amounts = msgspec.field(default_factory=Amounts)


class InputWarnings:
    """Looks at the facts of inputs as they arrive, and says at the end what to mend in them.

    It warns of files with dates alone where rules ask for hours, of orders in a currency that no rule pays, of files
    whose pieces a mapping without a scale takes for thousandths, of those in which every order is a guest's, of ids
    that a spreadsheet has cut, and of amounts that seem to be orders' totals or whole dollars.
    """

    def __init__(self, inputs: Sequence[Input], published: Sequence[RulesetPublished]) -> None:
        self._inputs = inputs
        self._published = published
        self._files = [_File() for _ in inputs]
        self._currencies: dict[str, int] = {}
        self._first_at: int | None = None
        self._last_at = 0
        self._may_be_pieces = [_is_unscaled(one) for one in inputs]
        known = {"UTC", *(one.timezone for one in published)}
        own = [one.mapping.timezone if one.mapping is not None else None for one in inputs]
        self._is_midnight = [_midnights(frozenset(known if zone is None else known | {zone})) for zone in own]

    @property
    def facts(self) -> int:
        """How many facts were looked at."""
        return sum(file.facts for file in self._files)

    def watched(self, arrivals: Iterator[Arrived]) -> Iterator[Arrived]:
        """The same arrivals; each fact among them is looked at."""
        for item in arrivals:
            if item.fact is not None:
                self.look_at(item.input_index, item.fact)
                if item.parts and type(item.fact) is PurchaseRecorded and item.fact.member_id is not None:
                    for index, _ in item.parts:
                        self._files[index].has_members = True
            yield item

    def look_at(self, index: int, fact: PublishedFact) -> None:
        """Look at one fact of the input with this index."""
        at, file = fact.occurred_at, self._files[index]
        self._first_at = at if self._first_at is None else min(self._first_at, at)
        self._last_at = max(self._last_at, at)
        file.facts += 1
        file.rounded.look_at(fact)
        if type(fact) is PurchaseRecorded:
            self._currencies[fact.currency] = self._currencies.get(fact.currency, 0) + 1
            file.orders += 1
            file.guests += fact.member_id is None
            file.amounts.look_at(fact)
            if self._may_be_pieces[index]:
                file.lines += len(fact.lines)
                file.most_milli = max([file.most_milli, *(abs(line.quantity_milli) for line in fact.lines)])
                self._may_be_pieces[index] = file.most_milli < ONE_UNIT_MILLI
        if at % _QUARTER_HOUR_MS == 0 and self._is_midnight[index](at):
            file.without_clock += 1
            file.at_midnight.setdefault(type(fact), fact)

    def told(self, already: int = 0) -> list[str]:
        """Say what was found, a line for each; `already` records of the inputs were taken in before, and not seen."""
        told = [
            *self._of_rounded_ids(),
            *self._of_amounts(),
            *self._of_pieces(),
            *(() if already else self._of_guests()),
        ]
        rules = self._rules()
        if rules:
            told += [*self._of_hours(rules), *self._of_currencies({one.currency for one in rules})]
        return told

    def _rules(self) -> list[Ruleset]:
        """The rules that are in force for any of the facts."""
        first = self._first_at
        if first is None:
            return []
        holding = [in_force(self._published, first)]
        holding += [one for one in self._published if first < one.effective_from <= self._last_at]
        return [load_published(one.text) for one in holding if one is not None]

    def _of_pieces(self) -> Iterator[str]:
        for one, file, may_be_pieces in zip(self._inputs, self._files, self._may_be_pieces, strict=True):
            if not may_be_pieces or not file.most_milli:
                continue
            lines = "its only line has no" if file.lines == 1 else f"none of the {file.lines:,} lines has a"
            yield (f"{one.shown}: {lines} quantity of one piece or more: {_read_as_thousandths(one, file.most_milli)}")

    def _of_rounded_ids(self) -> Iterator[str]:
        for one, file in zip(self._inputs, self._files, strict=True):
            yield from (f"{one.shown}: {line}" for line in file.rounded.told())

    def _of_amounts(self) -> Iterator[str]:
        for one, file in zip(self._inputs, self._files, strict=True):
            yield from filter(None, (file.amounts.of_totals(one), file.amounts.of_units(one)))

    def _of_guests(self) -> Iterator[str]:
        for one, file in zip(self._inputs, self._files, strict=True):
            if file.orders and file.guests == file.orders and not file.has_members:
                each = "its only order is" if file.orders == 1 else f"each of the {file.orders:,} orders is"
                yield f"{one.shown}: {each} a guest's, so nobody earns points. {_where_members_are(one)}"

    def _of_hours(self, rules: Sequence[Ruleset]) -> Iterator[str]:
        for one, file in zip(self._inputs, self._files, strict=True):
            if file.without_clock * ONE_IN < file.facts:
                continue
            names = [
                rule.id
                for ruleset in rules
                for rule in ruleset.rules
                if rule.active is not None and rule.active.hours is not None
                if any(not rule.not_counted(fact, ruleset.rules) for fact in file.at_midnight.values())
            ]
            if names:
                yield (
                    f"{one.shown}: {file.without_clock:,} of {counted(file.facts, 'event')} "
                    f"{'has' if file.facts == 1 else 'have'} a date without a time of day, so they count as made at "
                    f"midnight. Rules that ask for hours cannot pay them rightly: {_some(names)}. {_advice(one)}"
                )

    def _of_currencies(self, paid: set[str]) -> Iterator[str]:
        orders = sum(self._currencies.values())
        others = {code: count for code, count in self._currencies.items() if code not in paid}
        unpaid = sum(others.values())
        if not unpaid:
            return
        named = sorted(others, key=lambda code: (-others[code], code))
        counts = _some([f"{others[code]:,} in {code}" for code in named])
        pays = " and ".join(sorted(paid))
        if unpaid < orders:
            verb = "is" if unpaid == 1 else "are"
            yield (
                f"{unpaid:,} of {counted(orders, 'order')} {verb} in a currency for which the rules pay nothing: "
                f"{counts}; they pay for {pays} alone"
            )
            return
        which = "the only order is not" if orders == 1 else f"none of the {orders:,} orders is"
        yield (
            f"{which} in {pays}, the currency for which the rules pay: {counts}. Nothing will be paid for "
            f"{'it' if orders == 1 else 'them'}. If the amounts are in {pays}, mend the currency, in a mapping "
            f"constants: {{currency: {min(paid)}}}; if not, it is the ruleset's currency that must be another"
        )


def _is_unscaled(one: Input) -> bool:
    """Whether a mapping reads quantities without saying how they are scaled."""
    mapping = one.mapping
    if mapping is None or "quantity_milli" in mapping.scale:
        return False
    return "quantity_milli" in {*mapping.lines, *mapping.line_constants}


def _read_as_thousandths(one: Input, most: int) -> str:
    paid = "Rules that pay per unit pay next to nothing for them. If these are pieces, write"
    source = None if one.mapping is None else one.mapping.lines.get("quantity_milli")
    if source is None:
        return (
            f"'{most}' in line_constants is read as thousandths. {paid} "
            f"line_constants: {{quantity_milli: {most * ONE_UNIT_MILLI}}} in the mapping"
        )
    return (
        f"{', '.join(map(quoted, columns_of(source)))} is read as thousandths, and the largest is {most:,}. {paid} "
        "scale: {quantity_milli: 1000} in the mapping; if they are thousandths, scale: {quantity_milli: 1}"
    )


def _where_members_are(one: Input) -> str:
    if one.mapping is None:
        return "If members bought there, give each order its member_id"
    source = one.mapping.fields.get("member_id")
    if source is None:
        return "The mapping takes the member from no column: if the file has one, name it, member_id: COLUMN"
    named = ", ".join(map(quoted, columns_of(source)))
    return (
        f"The mapping takes the member from {named}, which says nothing in any of their rows: is another column meant?"
    )


def _advice(one: Input) -> str:
    mapping = one.mapping
    if mapping is None:
        return "Send the time of day in occurred_at as well"
    source = mapping.fields["occurred_at"]
    shown = f"occurred_at: [{source}, TIME COLUMN]" if isinstance(source, str) else "in occurred_at"
    return f"Map the column with the time of day as well, {shown}; if the file has none, export it with one"


def _some(names: Sequence[str]) -> str:
    different = list(dict.fromkeys(names))
    more = len(different) - MAX_NAMED
    return ", ".join(different[:MAX_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _midnights(zones: frozenset[str]) -> Callable[[int], bool]:
    """Whether an instant (UTC ms) is the first one of a day in any of some zones."""
    each = [Zone(name, zone_data(name)) for name in sorted(zones)]

    @lru_cache(maxsize=MAX_MIDNIGHTS)
    def is_midnight(at: int) -> bool:
        return any(zone.local(at).time() == time.min for zone in each)

    return is_midnight
