"""Finds out which refused events came in after all, under their own source and event id, in a mended file perhaps."""

from collections.abc import Container, Iterator, Mapping
from typing import Final, NamedTuple

from books.log import CommittedRounds, LogReader
from schemas.facts import PublishedFact

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


def came_in_since(log: CommittedRounds, standing: Mapping[Key, Standing]) -> int:
    """How many records that were refused again have come in since their reject was kept, by their own file or another.

    Another record of the same file says nothing: an id may stand twice in it, and one of the two be right. The commits
    tell what came first, as the books date what is imported by its own time, and some rejects by the clock.
    """
    if not standing:
        return 0
    numbers = {each.reject for each in standing.values()}
    kept = {
        one.number: Place(one.input, one.record)
        for _, batch in log.read_rejects()
        for one in batch
        if one.number in numbers
    }
    rejects_by: dict[str, int] = {}  # how many rejects the books had when an input was last read
    for commit in log.commits():
        rejects_by.update((one.sha256, commit.rejects) for one in commit.inputs)
    found: set[Key] = set()
    for key, place in places_under(log, standing):
        first, number, _ = standing[key]
        own = (first, kept.get(number, first))
        is_later = rejects_by.get(place.sha256, 0) >= number
        if place in own or (is_later and place.sha256 not in {one.sha256 for one in own}):
            found.add(key)
    return sum(standing[key].records for key in found)
