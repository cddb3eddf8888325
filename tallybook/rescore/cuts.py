"""Finds up to where a re-scoring compares: the last tick that the ledger covers in every partition."""

from __future__ import annotations

from typing import Final

from books.log import LogReader
from processors.replay.rescore.partition_run import Cut
from schemas.facts import ClockTicked
from schemas.pages import Folio

# Pages of a stream that are read back from its end at first to find a tick; twice as many each further time.
FIRST_PAGES_BACK: Final = 64


def make_cuts(log: LogReader, edition: str) -> tuple[tuple[Cut, ...], int]:
    """The cut of every partition, and the last tick up to there in UTC ms (0: none).

    Books in files commit all partitions together, so they are compared up to their last commit. The partitions of a
    stream are scored apart from each other: they are compared up to the last tick that all have passed.
    """
    partitions = range(log.partitions)
    scored = [log.scored_page(edition, partition) for partition in partitions]
    if any(page is None for page in scored):
        cuts = tuple(_cut(log, edition, partition, _last_page(log, partition), None) for partition in partitions)
        return cuts, _last_tick(log)
    ends = [-1 if page is None else page for page in scored]
    last = min(max(_last_ticks(log, partition, ends[partition], 0), default=0) for partition in partitions)
    return tuple(
        _cut(log, edition, partition, ends[partition], _last_ticks(log, partition, ends[partition], last).get(last))
        for partition in partitions
    ), last


def _cut(log: LogReader, edition: str, partition: int, page: int, closes_at: Folio | None) -> Cut:
    posting = log.last_posting(edition, partition)
    digests = log.recorded_digests(edition, partition)
    number = 0 if posting is None else posting.number
    return Cut(partition, page, number, "" if digests is None else digests.ledger, closes_at)


def _last_page(log: LogReader, partition: int) -> int:
    last = log.last_page(partition)
    return -1 if last is None else last.page


def _last_tick(log: LogReader) -> int:
    """The last tick of books in files in UTC ms (0: none): mostly on the last page, as it ends a round."""
    last = log.last_page(0)
    if last is None:
        return 0
    ticks = [line.fact.at for line in last.lines if isinstance(line.fact, ClockTicked)]
    return max(ticks or _ticks(log, 0, 0, last.page), default=0)


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


def _ticks(log: LogReader, partition: int, start: int, end: int) -> dict[int, Folio]:
    """The ticks on the pages from a position on up to page `end`, with their places."""
    found: dict[int, Folio] = {}
    for _, page in log.read_journal(partition, start):
        if page.page > end:
            break
        for number, line in enumerate(page.lines):
            if isinstance(line.fact, ClockTicked):
                found.setdefault(line.fact.at, Folio(page.page, number))
    return found
