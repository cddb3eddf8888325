"""Merges several inputs by time, each record once, without those that were taken in before."""

from array import array
from collections.abc import Callable, Container, Iterator, Mapping, MutableSequence, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from processors.intake.door import Judge
from processors.intake.external_sort import MAX_HELD_BYTES, Arrived, ExternalSort, by_time
from processors.intake.input_files import Input
from processors.intake.input_records import Read
from processors.intake.unknown_fields import UnknownFields
from schemas.bounds import EARLIEST_AT
from schemas.pages import InputConsumed

RECORDS_PER_REPORT: Final = 1_000
ARRIVED_BYTES: Final = 100

# By the SHA-256 of an input, its records that were refused before and are judged again, although it was read further.
RefusedBefore = Mapping[str, Container[int]]


class Survey(msgspec.Struct):
    """Counts what inputs hold while they are read, so that an import can report on them before it writes.

    `older` counts the facts before the instant asked about, taken or refused as too old; `already` the records that
    earlier imports took in, which are in no other count; `repeated` names inputs that equal another one given.
    `looked_up` has the places of the records that are compared with the journal before they are refused.
    """

    records: int = 0
    older: int = 0
    already: int = 0
    repeated: list[str] = []
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
) -> Iterator[Gathered]:
    """Reads all inputs and puts their records in order: by (instant, SHA-256, record), or if `as_is` as they come.

    A record that gives no instant takes that of the record before it in its file; at the head of a file, the first one
    given. What `consumed` says was taken in before is left out, but for the records in `refused`; and so is an input
    that equals an earlier one given.
    `older_than` (UTC ms) is the instant before which the survey counts facts as older. More than `held_bytes` go to
    temporary files in `folder`. `on_read` is told now and then how many more records were read. What `judge` refuses
    is kept with the bytes as they came (a fact that is refused later is kept as canonical JSON only).
    Raises InputRefused.
    """
    survey, unknown = Survey(), UnknownFields()
    records = ExternalSort(None if as_is else by_time, held_bytes, folder)
    try:
        read = _read_all(
            inputs, survey, unknown, consumed=consumed, refused=refused, older_than=older_than, judge=judge
        )
        for arrived, size in read:
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
    """The records of one input in its own order, held nowhere; None for each that was taken in before.

    Those in `refused` were read before, but not taken in.

    Raises InputRefused.
    """
    before = [past for past in consumed if past.sha256 == one.sha256]
    for at, read in _with_instants(one, unknown, judge):
        if read.record not in refused and any(_was_consumed(past, at, read.record) for past in before):
            yield None
        else:
            yield _arrived(at, 0, 0, read)


def _read_all(
    inputs: Sequence[Input],
    survey: Survey,
    unknown: UnknownFields,
    *,
    consumed: Sequence[InputConsumed],
    refused: RefusedBefore,
    older_than: int | None,
    judge: Judge | None,
) -> Iterator[tuple[Arrived, int]]:
    """Each record that was not taken in before, and its size; counted in `survey` and `unknown`."""
    ranks = {sha256: rank for rank, sha256 in enumerate(sorted({one.sha256 for one in inputs}))}
    seen: set[str] = set()
    for index, one in enumerate(inputs):
        if one.sha256 in seen:
            survey.repeated.append(one.name)
            continue
        seen.add(one.sha256)
        rank = ranks[one.sha256]
        before = [past for past in consumed if past.sha256 == one.sha256]
        again = refused.get(one.sha256, ())
        for at, read in _with_instants(one, unknown, judge):
            if before and read.record not in again and any(_was_consumed(past, at, read.record) for past in before):
                survey.already += 1
                continue
            survey.count(read, older_than)
            yield _arrived(at, rank, index, read), read.size


def _arrived(at: int, rank: int, index: int, read: Read) -> Arrived:
    return Arrived(at, rank, read.record, index, read.at_line, read.fact, read.refusal, read.raw, read.headers)


def _with_instants(one: Input, unknown: UnknownFields, judge: Judge | None) -> Iterator[tuple[int, Read]]:
    """Each record with the instant that it is sorted by."""
    previous: int | None = None
    for read in one.records(unknown, judge):
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


def _was_consumed(past: InputConsumed, at: int, record: int) -> bool:
    return record <= past.record if past.as_is else (at, record) <= (past.occurred_at, past.record)
