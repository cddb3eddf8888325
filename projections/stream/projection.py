"""Projects a stream: what its group assigns is inserted into ClickHouse a moment after it is committed.

It begins where the markers in ClickHouse say. A page of the journal is held back until the ledger covers it, so that
the tables never show a tick whose due work is still to come.
"""

import time
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Final, Protocol

from books.encoded_blocks import EncodedBlock
from books.kafka.cluster import Cluster
from books.kafka.log import KafkaLogReader
from books.kafka.messages import batch_block, batch_of, page_block, reject_block
from books.kafka.records import Place, Polled
from projections.projector import BATCH_BYTES, Projected, Projector, marker_positions, require_same_books
from projections.store import JOURNAL, LEDGER, REJECTS, Store
from schemas.facts import JournalOpened
from schemas.topics import Topics

POLL_SECONDS: Final = 0.1
# The pause between two projections: each makes a part of every table, which ClickHouse has to merge.
GAP_SECONDS: Final = 0.4
STAGE: Final = "projection"
POLL_RECORDS: Final = 500
NOT_YET: Final = -1
# Of pages that the ledger does not cover yet: beyond this the journal is paused until half of them are given out.
MAX_HELD_BYTES: Final = 64 << 20
Position = tuple[str, int]  # a book and a partition


class StreamProjection:
    """One projection process into an opened, migrated store. It does nothing between two calls of `step`."""

    def __init__(self, cluster: Cluster, topics: Topics, edition: str, store: Store, *, instance: str) -> None:
        self._store = store
        self._edition = edition
        self._projector: Projector | None = None
        self._last_at = 0.0
        self._feed = StreamFeed(cluster, topics, edition, instance=instance, on_assigned=self._assigned)

    def open(self) -> None:
        """Join the group. Raises KafkaUnreachable, StoreUnreachable, StoreOfOtherBooks."""
        # Before any marker is read: those of other books would be taken for positions in these.
        require_same_books(self._feed.opened(), self._store)
        self._feed.open()

    def step(self) -> Projected | None:
        """Fetch, and project if it is time; what was projected, None for nothing.

        Raises:
            StoreUnreachable, KafkaUnreachable: start anew; no answer changes by it.
            StoreOfOtherBooks: the tables hold another deployment's books.
        """
        self._feed.poll(POLL_SECONDS)
        feed, projector = self._feed, self._projector
        if projector is None or not feed.waiting_bytes:
            return None
        is_time = time.monotonic() - self._last_at >= GAP_SECONDS
        if not is_time and feed.waiting_bytes < BATCH_BYTES:
            return None
        done = projector.project()
        self._last_at = time.monotonic()
        feed.note_progress()
        return done

    def close(self) -> None:
        """Leave the group."""
        self._feed.close()

    def _assigned(self, partitions: tuple[int, ...], *, rejects: bool) -> Mapping[Position, int]:
        self._projector = Projector(self._feed, self._store, self._edition, partitions=partitions, rejects=rejects)
        return marker_positions(self._store, self._edition)


class OnAssigned(Protocol):
    """What is called when the group has assigned partitions."""

    def __call__(self, partitions: tuple[int, ...], *, rejects: bool) -> Mapping[Position, int]:
        """From which positions to read these partitions, and the rejects where these are given too."""


class StreamFeed:
    """The books as the projection's group assigns them to this process; `poll`, then read the blocks that have come.

    `on_assigned` is told the partitions and whether the rejects are among what was given, and answers from which
    positions to read: those that the markers say.
    """

    def __init__(
        self, cluster: Cluster, topics: Topics, edition: str, *, instance: str, on_assigned: OnAssigned
    ) -> None:
        self._cluster = cluster
        self._topics = topics
        self._edition = edition
        self._on_assigned = on_assigned
        self._log = KafkaLogReader(cluster, topics, edition)
        self._books = {topics.journal: JOURNAL, topics.ledger(edition): LEDGER, topics.rejects: REJECTS}
        self._blocks: dict[Position, deque[EncodedBlock]] = {}
        self._held: dict[int, deque[EncodedBlock]] = {}
        self._scored: dict[int, int] = {}
        self._noted: dict[Place, int] = {}
        self._passed: dict[Place, int] = {}
        self._member = cluster.group_consumer(topics.group(STAGE), f"{topics.group(STAGE)}-{instance}")
        self._held_bytes = 0
        self._paused: set[Place] = set()
        self.waiting_bytes = 0

    @property
    def partitions(self) -> int:
        """How many partitions journal and ledger have."""
        return self._log.partitions

    def opened(self) -> JournalOpened:
        """The constants of the deployment."""
        return self._log.opened()

    def open(self) -> None:
        """Join the group. Raises KafkaUnreachable."""
        self._member.subscribe(list(self._books), self._assigned, self._revoked)

    def poll(self, wait_seconds: float) -> None:
        """Fetch what has come. Raises KafkaUnreachable, Fenced, and whatever `on_assigned` raises."""
        self._take(self._member.poll(POLL_RECORDS, wait_seconds))
        self._look_at_pace()

    def note_progress(self) -> None:
        """Commit to the group, for monitoring only, how far all that was read is projected."""
        # Behind the last batch with postings there may be others, of ticks that made nothing due: these are done too.
        passed = {place: end for place, end in self._passed.items() if not self._blocks.get((LEDGER, place.partition))}
        for place, end in passed.items():
            self._noted[place] = max(end, self._noted.get(place, 0))
            del self._passed[place]
        if self._noted:
            noted, self._noted = self._noted, {}
            self._member.note(noted)

    def journal_blocks(self, partition: int, start: int = 0) -> Iterator[EncodedBlock]:
        """The pages that have come and that the ledger covers."""
        return self._drain((JOURNAL, partition), self._topics.journal, start)

    def ledger_blocks(self, edition: str, partition: int, start: int = 0) -> Iterator[EncodedBlock]:
        """The postings that have come."""
        if edition != self._edition:
            raise ValueError(f"edition {edition} is not the one that is fed, {self._edition}")
        return self._drain((LEDGER, partition), self._topics.ledger(edition), start)

    def reject_blocks(self, start: int = 0) -> Iterator[EncodedBlock]:
        """The rejects that have come."""
        return self._drain((REJECTS, 0), self._topics.rejects, start)

    def close(self) -> None:
        """Leave the group."""
        self._member.close()

    def _drain(self, position: Position, topic: str, start: int) -> Iterator[EncodedBlock]:
        blocks = self._blocks.get(position)
        while blocks:
            block = blocks.popleft()
            self.waiting_bytes -= len(block.data)
            self._noted[Place(topic, position[1])] = block.end
            if block.end > start:
                yield block

    def _take(self, polled: Polled) -> None:
        for record in polled.records:
            book, partition = self._books[record.topic], record.partition
            if book == JOURNAL:
                block = page_block(record)
                self._held[partition].append(block)
                self._held_bytes += len(block.data)
                self._release(partition)
            elif book == REJECTS:
                self._put((REJECTS, 0), reject_block(record))
            else:
                batch = batch_of(record)
                if batch is None:
                    continue
                if batch.postings:
                    self._put((LEDGER, partition), batch_block(record, batch))
                else:
                    self._passed[record.place] = record.offset + 1
                self._scored[partition] = max(self._scored[partition], batch.scored_page)
                self._release(partition)

    def _release(self, partition: int) -> None:
        """Give out the pages that the ledger covers; a page's number is one less than the position after it."""
        held, scored = self._held[partition], self._scored[partition]
        while held and held[0].end - 1 <= scored:
            block = held.popleft()
            self._held_bytes -= len(block.data)
            self._put((JOURNAL, partition), block)

    def _look_at_pace(self) -> None:
        """Pause the journal while scoring is far behind or away, rather than hold all of it in memory."""
        if not self._paused and self._held_bytes >= MAX_HELD_BYTES:
            self._paused = {Place(self._topics.journal, partition) for partition in self._held}
            self._member.pause(self._paused)
        elif self._paused and self._held_bytes <= MAX_HELD_BYTES // 2:
            self._member.resume(self._paused)
            self._paused = set()

    def _put(self, position: Position, block: EncodedBlock) -> None:
        self._blocks[position].append(block)
        self.waiting_bytes += len(block.data)

    def _assigned(self, places: set[Place]) -> dict[Place, int]:
        ledger, journal = self._topics.ledger(self._edition), self._topics.journal
        partitions = tuple(sorted({place.partition for place in places if place.topic == ledger}))
        others = {place.partition for place in places if place.topic == journal}
        if others != set(partitions):
            raise AssertionError(f"journal partitions {sorted(others)} came with those {partitions} of the ledger")
        markers = self._on_assigned(partitions, rejects=Place(self._topics.rejects, 0) in places)
        self._blocks = {(self._books[place.topic], place.partition): deque() for place in places}
        self._held = {partition: deque() for partition in partitions}
        self._held_bytes, self._paused = 0, set()
        self.waiting_bytes = 0
        self._log.refresh()
        self._scored = {number: self._scored_at(number, markers.get((LEDGER, number), 0)) for number in partitions}
        return {place: markers.get((self._books[place.topic], place.partition), 0) for place in places}

    def _scored_at(self, partition: int, position: int) -> int:
        """How far the ledger covered the journal just before a position."""
        record = self._log.last_record(Place(self._topics.ledger(self._edition), partition), position)
        batch = None if record is None else batch_of(record)
        return NOT_YET if batch is None else batch.scored_page

    def _revoked(self, places: set[Place]) -> None:
        """Drop what was not projected: the process that is assigned the partitions reads it again."""
        del places
        self._blocks, self._held, self._scored, self._noted, self._passed = {}, {}, {}, {}, {}
        self._held_bytes, self._paused = 0, set()
        self.waiting_bytes = 0
