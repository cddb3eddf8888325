"""Looks at the first or the last committed record of many partitions at once.

Offsets alone do not say whether a record is there: behind the last one there may be markers of transactions and records
of aborted ones, neither of which a reader is given.
"""

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Final

from books.kafka.cluster import Cluster
from books.kafka.errors import KafkaUnreachable
from books.kafka.records import Place, Record

POLL_RECORDS: Final = 64
POLL_SECONDS: Final = 0.5
# If nothing has come for so long, the brokers count as unreachable.
PATIENCE_SECONDS: Final = 10.0
# One record, and the marker of the transaction that it was committed in.
FIRST_STEP_BACK: Final = 2
# A little of each partition is enough: to look at one page, thirty need not be fetched.
_LIGHT: Final = {"queued.min.messages": 1, "queued.max.messages.kbytes": 64, "max.partition.fetch.bytes": 1_024}
_UNCOMMITTED: Final = {"isolation.level": "read_uncommitted"}


def first_records(cluster: Cluster, positions: Mapping[Place, int], *, committed: bool = True) -> dict[Place, Record]:
    """The first record at or behind each position; a place that has none is left out.

    Not `committed`: those of open transactions, and those that wait behind them, count too.

    Raises:
        KafkaUnreachable: the brokers do not answer.
    """
    found: dict[Place, Record] = {}

    def take(record: Record) -> bool:
        found.setdefault(record.place, record)
        return True

    _read(cluster, positions, take, committed=committed)
    return found


def last_records(cluster: Cluster, ends: Mapping[Place, int]) -> dict[Place, Record]:
    """The last committed record before each end; a place that has none is left out. Raises KafkaUnreachable."""
    found: dict[Place, Record] = {}
    step = FIRST_STEP_BACK
    left = {place: end for place, end in ends.items() if end > 0}

    def take(record: Record) -> bool:
        if record.offset < ends[record.place]:
            found[record.place] = record
        return record.offset >= ends[record.place] - 1

    while left:
        _read(cluster, {place: max(0, end - step) for place, end in left.items()}, take)
        # Doubled each time, so that the beginning of the longest partition is reached in 63 steps at most.
        left = {place: end for place, end in left.items() if place not in found and step < end}
        step *= 2
    return found


def _read(
    cluster: Cluster, positions: Mapping[Place, int], take: Callable[[Record], bool], *, committed: bool = True
) -> None:
    """Read each place from its position on until `take` says that it has enough, or there is no more."""
    if not positions:
        return
    ends = cluster.ends(positions, committed=committed)
    with closing(cluster.reader(_LIGHT if committed else _LIGHT | _UNCOMMITTED)) as reader:
        reader.set_on(positions)
        left = set(positions)
        silent = 0.0
        while left:
            polled = reader.poll(POLL_RECORDS, POLL_SECONDS)
            enough = {record.place for record in polled.records if record.place in left and take(record)}
            enough |= {place for place, at in polled.at_end.items() if place in left and at >= ends[place]}
            left -= enough
            if enough and left:
                reader.leave(enough)
            silent = 0.0 if polled.records or polled.at_end else silent + POLL_SECONDS
            if silent >= PATIENCE_SECONDS:
                some = min(left)
                raise KafkaUnreachable(cluster.bootstrap, f"nothing came from {some.topic}/{some.partition}")
