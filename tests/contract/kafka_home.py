"""Books on a real Kafka for the contract tests, and one who writes them as intake and scoring together would."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from books.kafka.cluster import Cluster
from books.kafka.create import create_topics, open_stream
from books.kafka.log import KafkaLogReader
from books.kafka.messages import message_of, page_message
from books.kafka.producer import TransactionalProducer
from books.kafka.records import Place
from schemas.canonical import EMPTY_DIGEST, next_journal_digest, next_ledger_digest
from schemas.pages import JournalPage, Reject, RoundCommitted
from schemas.posting import FIRST_EDITION, Posting, PostingBatch
from schemas.topics import Topics
from tests.support.book_samples import OPENED
from tests.support.waiting import wait_until_settled

# Longer than a test takes that leaves a transaction open, on a machine that is busy with more.
OPEN_SECONDS = 300.0
NO_PAGE = -1


class KafkaHome:
    """A deployment's books; their writer ends what a dead one left open, as every process of the stream does."""

    def __init__(self, bootstrap: str, deployment: str) -> None:
        self.cluster = Cluster(bootstrap)
        self.topics = Topics(deployment)
        self.opened = msgspec.structs.replace(OPENED, deployment=deployment)
        create_topics(self.cluster, tuple(one for one in self.topics.table(OPENED.partitions) if one.kind != "facts"))
        open_stream(self.cluster, self.topics, self.opened)
        self.settle()
        self.writer: KafkaWriter | None = None

    def read(self) -> KafkaLogReader:
        return KafkaLogReader(self.cluster, self.topics, FIRST_EDITION)

    def write(self) -> KafkaWriter:
        self.writer = KafkaWriter(self)
        return self.writer

    def die(self) -> None:
        """What the writer sent is with the broker, its transaction is open, and nobody is there to end it."""
        assert self.writer is not None
        self.writer = None

    def producer(self, name: str = "test-other") -> TransactionalProducer:
        """One more who writes in transactions."""
        producer = self.cluster.producer(self.topics.transactional_id(name), timeout_seconds=OPEN_SECONDS)
        producer.open()
        return producer

    def places(self) -> list[Place]:
        """Every partition of the books."""
        topics = (self.topics.journal, self.topics.ledger(FIRST_EDITION))
        parts = [Place(topic, number) for topic in topics for number in range(self.opened.partitions)]
        return [*parts, Place(self.topics.rejects, 0)]

    def settle(self) -> None:
        """Wait until readers see what was committed; no transaction may be open."""
        wait_until_settled(self.cluster, self.places())


class KafkaWriter:
    """Writes pages, postings and rejects, all that one commit covers in one transaction.

    Nobody else writes to these books, so that it can tell the offset, and so the number, of what it appends.
    """

    def __init__(self, home: KafkaHome) -> None:
        self._home = home
        self._topics = home.topics
        self._producer = home.producer("test-writer")
        home.settle()
        log = home.read()
        self._numbers: dict[int, int] = {}
        self._scored: dict[int, PostingBatch] = {}
        for partition in range(log.partitions):
            posting = log.last_posting(FIRST_EDITION, partition)
            self._numbers[partition] = 0 if posting is None else posting.number
            last = log.last_batch(FIRST_EDITION, partition)
            self._scored[partition] = PostingBatch(()) if last is None else last[1]
        self._offsets: dict[Place, int] = {}
        self._is_open = False

    def next_page(self, partition: int) -> int:
        return self._next(Place(self._topics.journal, partition))

    def next_number(self, edition: str, partition: int) -> int:
        assert edition == FIRST_EDITION
        return self._numbers[partition] + 1

    def append_page(self, partition: int, page: JournalPage) -> int:
        assert page.page == self.next_page(partition)
        scored = self._scored[partition]
        digest = bytes.fromhex(scored.journal_digest or EMPTY_DIGEST.hex())
        for line in page.lines:
            digest = next_journal_digest(digest, line.member_id, line.fact)
        self._scored[partition] = msgspec.structs.replace(scored, scored_page=page.page, journal_digest=digest.hex())
        return self._send(Place(self._topics.journal, partition), page_message(page.lines, page.inputs))

    def append_postings(self, edition: str, partition: int, postings: Sequence[Posting]) -> int:
        scored = self._scored[partition]
        digest = bytes.fromhex(scored.ledger_digest or EMPTY_DIGEST.hex())
        for posting in postings:
            assert posting.number == self.next_number(edition, partition)
            self._numbers[partition] += 1
            digest = next_ledger_digest(digest, posting)
        batch = msgspec.structs.replace(scored, postings=tuple(postings), ledger_digest=digest.hex())
        self._scored[partition] = batch
        return self._send(Place(self._topics.ledger(edition), partition), message_of(batch))

    def append_rejects(self, rejects: Sequence[Reject]) -> tuple[Reject, ...]:
        place = Place(self._topics.rejects, 0)
        ends = [self._send(place, message_of(reject)) for reject in rejects]
        return tuple(msgspec.structs.replace(reject, number=end) for reject, end in zip(rejects, ends, strict=True))

    def commit(self, committed: RoundCommitted) -> None:
        """Make it visible, and wait until it is; a stream has no rounds, so that what the round says is not kept."""
        del committed
        self._begun()
        self._producer.commit()
        self._is_open = False
        self._offsets = {}
        self._home.settle()

    def close(self) -> None:
        self._producer.close()

    def _next(self, place: Place) -> int:
        if place in self._offsets:
            return self._offsets[place]
        return self._home.cluster.ends([place], committed=False)[place]

    def _send(self, place: Place, message: bytes) -> int:
        offset = self._next(place)
        self._begun()
        self._producer.send(place.topic, message, partition=place.partition)
        self._producer.flush()  # so that a reader who sees too much has something to see
        self._offsets[place] = offset + 1
        return offset + 1

    def _begun(self) -> None:
        if not self._is_open:
            self._producer.begin()
            self._is_open = True
