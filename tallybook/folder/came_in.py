"""Finds out which refused events came in after all, under their own source and event id, in a mended file perhaps."""

from collections.abc import Container, Mapping
from typing import Final

from books.log import LogReader
from schemas.facts import PublishedFact

# Of one command's records that are refused again; those beyond are told as if nothing were known of them.
MAX_LOOKED_UP: Final = 100_000

Key = tuple[str, str]


def received_under(log: LogReader, keys: Container[Key]) -> dict[Key, int]:
    """When an event of each (source, event id) was last received, in UTC ms, of those that the journal has."""
    found: dict[Key, int] = {}
    for partition in range(log.partitions):
        for _, page in log.read_journal(partition):
            for line in page.lines:
                fact = line.fact
                if isinstance(fact, PublishedFact) and (key := (fact.source, fact.event_id)) in keys:
                    found[key] = max(line.received_at, found.get(key, 0))
    return found


def came_in_since(log: LogReader, standing: Mapping[Key, tuple[int, int]]) -> int:
    """How many records that were refused again have come in since the reject that stands for them was kept.

    `standing` has the number of that reject, and how many records it stands for, by their source and event id.
    """
    if not standing:
        return 0
    received = received_under(log, standing)
    numbers = {number for number, _ in standing.values()}
    kept = {one.number: one.received_at for _, batch in log.read_rejects() for one in batch if one.number in numbers}
    return sum(
        count for key, (number, count) in standing.items() if key in received and received[key] >= kept.get(number, 0)
    )
