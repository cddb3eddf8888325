"""Finds out which refused events came in after all, under their own source and event id, in a mended file perhaps."""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from books.log import CommittedRounds, LogReader
from schemas.facts import PublishedFact
from schemas.pages import Reject

# Of one command's records that are refused again; those beyond are told as if nothing were known of them.
MAX_LOOKED_UP: Final = 100_000

Key = tuple[str, str]


class Place(NamedTuple):
    """A record of an input, by its SHA-256."""

    sha256: str
    record: int


class Standing(NamedTuple):
    """Records of one source and event id that were refused again: the first one, its reject, and how many they are."""

    first: Place
    reject: int
    records: int


def places_under(log: LogReader, keys: Container[Key]) -> Iterator[tuple[Key, Place]]:
    """Where the events in the journal that have any of these (source, event id) came from."""
    for partition in range(log.partitions):
        for _, page in log.read_journal(partition):
            for line in page.lines:
                fact = line.fact
                if isinstance(fact, PublishedFact) and (key := (fact.source, fact.event_id)) in keys:
                    yield key, Place(page.inputs[line.input], line.record)


class _Readings:
    """When inputs were read, told by how many rejects the books had then, and which records of them were refused.

    The commits tell what came first, as the books date what is imported by its own time, and some rejects by the clock.
    """

    def __init__(self, log: CommittedRounds, keys: Container[Key]) -> None:
        self.kept: dict[int, Place] = {}
        for _, batch in log.read_rejects():
            for one in batch:
                if (one.source, one.event_id) in keys:
                    self.kept[one.number] = Place(one.input, one.record)
        self._refused = set(self.kept.values())
        self._first: dict[str, int] = {}
        self._last: dict[str, int] = {}
        for commit in log.commits():
            for read in commit.inputs:
                self._first.setdefault(read.sha256, commit.rejects)
                self._last[read.sha256] = commit.rejects
            again = (each for each in commit.refused_again if each.reject in self.kept)
            self._refused.update(Place(each.sha256, each.record) for each in again)

    def is_since(self, place: Place, own: Collection[Place], number: int) -> bool:
        """Whether an event came in from `place` since the reject of a number was kept, of a record at `own` places.

        Another record of the same input says nothing: an id may stand twice in it, and one of the two be right. A
        record came in when its input was first read; or later on, if it was refused then.
        """
        if place in own:
            return True
        read = self._last if place in self._refused else self._first
        return read.get(place.sha256, 0) >= number and place.sha256 not in {one.sha256 for one in own}


def came_in_since(log: CommittedRounds, standing: Mapping[Key, Standing]) -> int:
    """How many records that were refused again came in since their reject was kept, by their own file or another."""
    if not standing:
        return 0
    readings = _Readings(log, standing)
    found: set[Key] = set()
    for key, place in places_under(log, standing):
        first, number, _ = standing[key]
        if readings.is_since(place, (first, readings.kept.get(number, first)), number):
            found.add(key)
    return sum(standing[key].records for key in found)


def came_in_after(log: CommittedRounds, rejects: Iterable[Reject]) -> frozenset[int]:
    """The numbers of those rejects whose source and event id an event has that came in since they were kept."""
    wanted: dict[Key, list[Reject]] = {}
    for reject in rejects:
        wanted.setdefault((reject.source, reject.event_id), []).append(reject)
    if not wanted:
        return frozenset()
    readings = _Readings(log, wanted)
    return frozenset(
        reject.number
        for key, place in places_under(log, wanted)
        for reject in wanted[key]
        if readings.is_since(place, (Place(reject.input, reject.record),), reject.number)
    )
