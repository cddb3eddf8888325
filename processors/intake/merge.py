"""Merges several inputs by time, each record once, without those that were taken in before."""

from array import array
from collections.abc import Callable, Container, Iterator, Mapping, MutableSequence, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from processors.intake.door import Door, Judge
from processors.intake.external_sort import (
    ARRIVED_BYTES,
    MAX_HELD_BYTES,
    Arrived,
    by_arrival,
    by_time,
    sort_of_arrivals,
)
from processors.intake.input_files import Input
from processors.intake.input_records import Read
from processors.intake.mapping import ColumnMapping
from processors.intake.unknown_fields import UnknownFields
from processors.intake.whole_orders import WholeOrders
from schemas.bounds import EARLIEST_AT
from schemas.facts import PublishedFact
from schemas.pages import InputConsumed

RECORDS_PER_REPORT: Final = 1_000

# By the SHA-256 of an input, its records that were refused before and are judged again, although it was read further.
RefusedBefore = Mapping[str, Container[int]]
# Notes an order of which rows were read before, and gives its place, from 1, among all that it noted.
NoteOrder = Callable[[PublishedFact], int]
# Whether the order of this source and event id was refused, and waits for all its files to come again.
IsAwaited = Callable[[str, str], bool]


class Survey(msgspec.Struct):
    """Counts what inputs hold while they are read, so that an import can report on them before it writes.

    `older` counts the facts before the instant asked about, taken or refused as too old; `already` the records that
    earlier imports took in, which are in no other count; `repeated` names inputs that equal another one given.
    `looked_up` has the places of the records that are compared with the journal before they are refused, `notes` say
    what people should know of the inputs.
    """

    records: int = 0
    older: int = 0
    already: int = 0
    repeated: list[str] = []
    notes: list[str] = []
    looked_up: MutableSequence[int] = msgspec.field(default_factory=lambda: array("Q"))

    def count(self, read: Read, older_than: int | None) -> None:
        """Count one record more; `older_than` in UTC ms."""
        self.records += 1
        if older_than is not None and (read.refusal is None or read.refusal.reason == "too_old"):
            at = _instant_of(read)
            self.older += at is not None and at < older_than
            if read.refusal is not None and read.refusal.looked_up:
                self.looked_up.append(read.refusal.looked_up)


class Gathered(NamedTuple):
    """All records of the inputs, read once; `arrivals` gives them in order, once."""

    survey: Survey
    unknown: UnknownFields
    arrivals: Iterator[Arrived]


@contextmanager
def gather(
    inputs: Sequence[Input],
    *,
    as_is: bool = False,
    consumed: Sequence[InputConsumed] = (),
    refused: RefusedBefore = MappingProxyType({}),
    older_than: int | None = None,
    held_bytes: int = MAX_HELD_BYTES,
    folder: Path | None = None,
    on_read: Callable[[int], object] = lambda _: None,
    judge: Judge | None = None,
    note_order: NoteOrder | None = None,
    is_awaited: IsAwaited = lambda _, __: False,
) -> Iterator[Gathered]:
    """Reads all inputs and puts their records in order: by (instant, SHA-256, record), or if `as_is` as they come.

    A record that gives no instant takes that of the record before it in its file; at the head of a file, the first one
    given. What `consumed` says was taken in before is left out, but for the records in `refused`; and so is an input
    that equals an earlier one given.
    `older_than` (UTC ms) is the instant before which the survey counts facts as older. More than `held_bytes` go to
    temporary files in `folder`. `on_read` is told now and then how many more records were read. What `judge` refuses
    is kept with the bytes as they came (a fact that is refused later is kept as canonical JSON only).
    That the rows of an order were read before does not say that it came whole, if they lie in several inputs: such
    orders are noted by `note_order`, and given. So are those of which `is_awaited` says that they were refused.
    Raises InputRefused.
    """
    survey, unknown = Survey(), UnknownFields()
    gathering = _Gathering(
        inputs,
        survey,
        Door(unknown, judge),
        consumed=consumed,
        refused=refused,
        older=older_than,
        note_order=note_order,
        is_awaited=is_awaited,
    )
    # Orders of several rows come in the order of their keys.
    as_given = by_arrival if any(one.is_grouped for one in inputs) else None
    records = sort_of_arrivals(as_given if as_is else by_time, held_bytes, folder)
    try:
        for arrived, size in gathering.read_all(held_bytes, folder):
            records.add(arrived, size + ARRIVED_BYTES)
            if survey.records % RECORDS_PER_REPORT == 0:
                on_read(RECORDS_PER_REPORT)
        on_read(survey.records % RECORDS_PER_REPORT)
        yield Gathered(survey, unknown, records.drain())
    finally:
        records.close()


def records_as_they_come(
    one: Input,
    unknown: UnknownFields,
    *,
    consumed: Sequence[InputConsumed] = (),
    refused: Container[int] = (),
    judge: Judge | None = None,
) -> Iterator[Arrived | None]:
    """The records of one input in its own order; None for each that was taken in before, or is not whole yet.

    Those in `refused` were read before, but not taken in.

    Raises InputRefused.
    """
    before = [past for past in consumed if past.sha256 == one.sha256]
    door = Door(unknown, judge)
    if one.is_grouped and one.mapping is not None:
        with closing(WholeOrders(one.mapping, [one.shown], door)) as whole:
            for _ in whole.take(0, one.pieces):
                yield None
            for order in whole.in_order_of_rows():
                is_new = order.record in refused or not _is_within(before, order.occurred_at, order.record)
                yield order if is_new else None
        return
    for at, read in _with_instants(one, door):
        if read.record not in refused and _is_within(before, at, read.record):
            yield None
        else:
            yield _arrived(at, 0, 0, read)


class _Gathering:
    """Reads inputs once, without what was taken in before, and counts what they hold in `survey`."""

    def __init__(
        self,
        inputs: Sequence[Input],
        survey: Survey,
        door: Door,
        *,
        consumed: Sequence[InputConsumed],
        refused: RefusedBefore,
        older: int | None,
        note_order: NoteOrder | None,
        is_awaited: IsAwaited,
    ) -> None:
        self._inputs = inputs
        self._survey = survey
        self._door = door
        self._refused = refused
        self._older_than = older
        self._note_order = note_order
        self._is_awaited = is_awaited
        self._ranks = {sha256: rank for rank, sha256 in enumerate(sorted({one.sha256 for one in inputs}))}
        self._before: dict[str, list[InputConsumed]] = {}
        for past in consumed:
            if past.sha256 in self._ranks:
                self._before.setdefault(past.sha256, []).append(past)

    def read_all(self, held_bytes: int, folder: Path | None) -> Iterator[tuple[Arrived, int]]:
        """Each record that was not taken in before, and its size."""
        seen: set[str] = set()
        grouped: list[int] = []
        for index, one in enumerate(self._inputs):
            if one.sha256 in seen:
                self._survey.repeated.append(one.name)
                continue
            seen.add(one.sha256)
            if one.is_grouped:
                grouped.append(index)
            else:
                yield from self._records(index, one)
        while grouped:
            mapping = self._inputs[grouped[0]].mapping
            together = [index for index in grouped if self._inputs[index].mapping == mapping]
            grouped = [index for index in grouped if index not in together]
            if mapping is not None:
                yield from self._orders(together, mapping, held_bytes, folder)

    def _records(self, index: int, one: Input) -> Iterator[tuple[Arrived, int]]:
        rank, before = self._ranks[one.sha256], self._survey.records + self._survey.already
        for at, read in _with_instants(one, self._door):
            if self._is_known(index, at, read.record):
                self._survey.already += 1
                continue
            self._survey.count(read, self._older_than)
            yield _arrived(at, rank, index, read), read.size
        if self._survey.records + self._survey.already == before:
            self._survey.notes.append(_without_records(one))

    def _orders(
        self, indexes: Sequence[int], mapping: ColumnMapping, held_bytes: int, folder: Path | None
    ) -> Iterator[tuple[Arrived, int]]:
        """The orders of all inputs that have rows of orders: judged again if any of their inputs has new rows."""
        names = [self._inputs[index].shown for index in indexes]
        with closing(WholeOrders(mapping, names, self._door, held_bytes=held_bytes, folder=folder)) as whole:
            for number, index in enumerate(indexes):
                one = self._inputs[index]
                rows = sum(1 for _ in whole.take(number, one.pieces))
                if not rows:
                    self._survey.notes.append(_without_records(one))
                elif one.format == "csv" and not one.ends_in_a_line:
                    self._survey.notes.append(
                        f"{one.shown}: the last row has no line end: if the file is still written to, import it again "
                        "when it is whole"
                    )
            for read, number, at, parts, headless in whole.orders():
                index = indexes[number]
                places = [(indexes[part], record) for part, record in parts] or [(index, read.record)]
                new = [place for place in places if not self._is_known(place[0], at, place[1])]
                again = self._noted(read) if parts and len(new) < len(parts) else None
                if not new and again is None and not self._was_refused(read):
                    self._survey.already += 1
                    continue
                self._survey.count(read, self._older_than)
                arrived = _arrived(at, self._ranks[self._inputs[index].sha256], index, read)
                arrived.is_order = True
                arrived.was_read = not new
                if parts:
                    arrived.parts, arrived.again = tuple(new), again or 0
                    known = [
                        indexes[part]
                        for part, record in parts
                        if part in headless and (indexes[part], record) not in new
                    ]
                    arrived.headless = known[0] if known else -1
                yield arrived, read.size
            self._survey.notes += whole.notes()

    def _was_refused(self, read: Read) -> bool:
        said = read.refusal if read.fact is None else read.fact
        return said is not None and self._is_awaited(said.source, said.event_id)

    def _noted(self, read: Read) -> int | None:
        """The place of an order that has to be compared with the journal; 0 if its refusal says so already."""
        if self._note_order is None:
            return None
        if read.fact is not None:
            return self._note_order(read.fact)
        return 0 if read.refusal is not None and read.refusal.looked_up else None

    def _is_known(self, index: int, at: int, record: int) -> bool:
        """Whether a record was taken in before."""
        sha256 = self._inputs[index].sha256
        before = self._before.get(sha256)
        return before is not None and record not in self._refused.get(sha256, ()) and _is_within(before, at, record)


def _without_records(one: Input) -> str:
    why = "it is empty" if not one.size else "no row below its header makes one" if one.mapping else "it holds none"
    return f"{one.shown}: there are no records in this file: {why}"


def _arrived(at: int, rank: int, index: int, read: Read) -> Arrived:
    return Arrived(at, rank, read.record, index, read.at_line, read.fact, read.refusal, read.raw, read.headers)


def _is_within(before: Sequence[InputConsumed], at: int, record: int) -> bool:
    return any(past.covers(at, record) for past in before)


def _with_instants(one: Input, door: Door) -> Iterator[tuple[int, Read]]:
    """Each record with the instant that it is sorted by."""
    previous: int | None = None
    for read in one.records_at(door):
        given = _instant_of(read)
        if given is None and previous is None:
            # The first instant that any record gives, for which the input is read once more; else the year 1970.
            given = next((at for at in map(_instant_of, one.records()) if at is not None), EARLIEST_AT)
        previous = previous if given is None else given
        yield EARLIEST_AT if previous is None else previous, read


def _instant_of(read: Read) -> int | None:
    if read.fact is not None:
        return read.fact.occurred_at
    return None if read.refusal is None else read.refusal.occurred_at
