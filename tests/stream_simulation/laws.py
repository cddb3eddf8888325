"""What must hold of a simulated deployment at its end, however often its processes died on the way."""

from typing import NamedTuple, cast

from books.kafka.cluster import Cluster
from books.kafka.log import KafkaLogReader
from books.kafka.records import Place
from processors.intake.door import admit_json
from processors.replay.verify import verify_books
from processors.stream.ticker import MAX_HELD_BACK_MS
from projections.projector import Projector
from projections.store import Store
from schemas.facts import ClockTicked, PublishedFact
from schemas.posting import FIRST_EDITION
from schemas.topics import Topics
from tests.fakes.store import FakeStore
from tests.support.deciders import load
from tests.support.whole_books import (
    Coordinate,
    every_record_once,
    lines_of,
    reference_agrees,
    require,
    streamed_digests,
)

# How far a projector came is told for monitoring, and a zombie may count its records twice.
NOT_AN_ANSWER = ("progress",)


class Message(NamedTuple):
    """What a publisher sent: where it stands, its bytes, and the fact if it is one."""

    place: Place
    offset: int
    value: bytes | None
    fact: PublishedFact | None


def audit(cluster: Cluster, topics: Topics, messages: list[Message], store: FakeStore) -> int:
    """All laws; how many ticks there were. Raises LawBroken."""
    log = KafkaLogReader(cluster, topics, FIRST_EDITION)
    every_record_once(log, map(_record, messages), all_in_time=True)
    ticks = _ticks(log)
    found = verify_books(log, FIRST_EDITION, load)
    require(not found.differences, "the ledger follows from the journal", first=found.shown[:1])
    require(found.unscored == 0, "everything is scored", unscored=found.unscored)
    digests = (found.journal_digest, found.ledger_digest)
    require(streamed_digests(log) == digests, "the digests are the stream's", found=digests)
    reference_agrees(log)
    _tables_are_those_of_the_books(log, store)
    return ticks


def _record(message: Message) -> tuple[Coordinate, PublishedFact | None]:
    """Where a message stands, and the fact if the door admits it."""
    admitted = admit_json(message.value) if message.value else None
    coordinate = f"{message.place.topic}/{message.place.partition}", message.offset + 1
    return coordinate, admitted if isinstance(admitted, PublishedFact) else None


def _ticks(log: KafkaLogReader) -> int:
    """Ticks go forward, are the same everywhere, and pass no fact that was still to be taken in."""
    all_ticks = []
    for partition in range(log.partitions):
        ticks: list[int] = []
        ticked_at = 0
        for line in lines_of(log, partition):
            if isinstance(line.fact, ClockTicked):
                require(not ticks or ticks[-1] < line.fact.at, "ticks go forward", partition=partition)
                ticks.append(line.fact.at)
                ticked_at = line.received_at
            elif line.record and ticks:
                passed = line.received_at < ticks[-1] and ticked_at - line.received_at <= MAX_HELD_BACK_MS
                require(not passed, "no tick passes a fact that waits", partition=partition, tick=ticks[-1])
        all_ticks.append(ticks)
    require(all(ticks == all_ticks[0] for ticks in all_ticks), "ticks are the same in all partitions")
    return len(all_ticks[0])


def _tables_are_those_of_the_books(log: KafkaLogReader, store: FakeStore) -> None:
    fresh = FakeStore()
    Projector(log, cast(Store, fresh), FIRST_EDITION).project()
    for table, rows in fresh.tables.items():
        if table not in NOT_AN_ANSWER:
            same = store.tables[table] == rows
            require(same, "the tables are those of a fresh projection", table=table)
