"""Finds up to where a re-scoring compares: the last tick that the ledger covers in every partition."""

from __future__ import annotations

from typing import Final, NamedTuple

from books.log import LogReader
from processors.replay.rescore.partition_run import Cut
from schemas.facts import ClockTicked, RulesetPublished
from schemas.pages import Folio

# Pages of a stream that are read back from its end at first to find a tick; twice as many each further time.
FIRST_PAGES_BACK: Final = 64


class Cuts(NamedTuple):
    """The cut of every partition, the last tick up to there (UTC ms, 0: none), and what was published by now."""

    cuts: tuple[Cut, ...]
    last_tick: int
    published: list[RulesetPublished]


def make_cuts(log: LogReader, edition: str) -> Cuts:
    """Find the cut of every partition.

    Books in files commit all partitions together, so they are compared up to their last commit. The partitions of a
    stream are scored apart from each other: they are compared up to the last tick that all have passed.
    """
    partitions = range(log.partitions)
    scored = [log.scored_page(edition, partition) for partition in partitions]
    published: list[RulesetPublished] = []
    ticks = _ticks(log, 0, 0, None, published)
    if any(page is None for page in scored):
        cuts = tuple(_cut(log, edition, partition, _last_page(log, partition), None) for partition in partitions)
        return Cuts(cuts, max(ticks, default=0), published)
    ends = [-1 if page is None else page for page in scored]
    last = min(max(_last_ticks(log, partition, ends[partition], 0), default=0) for partition in partitions)
    cuts = tuple(
        _cut(log, edition, partition, ends[partition], _last_ticks(log, partition, ends[partition], last).get(last))
        for partition in partitions
    )
    return Cuts(cuts, last, published)


def _cut(log: LogReader, edition: str, partition: int, page: int, closes_at: Folio | None) -> Cut:
    posting = log.last_posting(edition, partition)
    digests = log.recorded_digests(edition, partition)
    number = 0 if posting is None else posting.number
    return Cut(partition, page, number, "" if digests is None else digests.ledger, closes_at)


def _last_page(log: LogReader, partition: int) -> int:
    last = log.last_page(partition)
    return -1 if last is None else last.page


def _last_ticks(log: LogReader, partition: int, end: int, wanted: int) -> dict[int, Folio]:
    """The ticks near the end of a stream's partition, `wanted` (UTC ms) among them or else one at least, if it has any.

    Pages of a stream are numbered by their positions.
    """
    back = FIRST_PAGES_BACK
    while True:
        start = max(0, end - back)
        found = _ticks(log, partition, start, end)
        if start == 0 or (found and min(found) <= wanted) or (found and not wanted):
            return found
        back *= 2


def _ticks(
    log: LogReader, partition: int, start: int, end: int | None, published: list[RulesetPublished] | None = None
) -> dict[int, Folio]:
    """The ticks on the pages from a position on up to page `end` (None: all), with their places.

    What was published there is added to `published`, where that is given.
    """
    found: dict[int, Folio] = {}
    for _, page in log.read_journal(partition, start):
        if end is not None and page.page > end:
            break
        for number, line in enumerate(page.lines):
            if isinstance(line.fact, ClockTicked):
                found.setdefault(line.fact.at, Folio(page.page, number))
            elif published is not None and isinstance(line.fact, RulesetPublished):
                published.append(line.fact)
    return found
