"""Scores one partition of a stream: pages in, postings and derived facts out, together in one transaction.

A process that opens the partition's producer fences all others. It then recovers the accounts to the end of what the
ledger covers, and goes on with the next page. The offsets of a consumer group decide nothing here.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from books.errors import BooksError
from books.kafka.cluster import Cluster
from books.kafka.errors import KafkaUnreachable
from books.kafka.log import KafkaLogReader
from books.kafka.messages import page_of
from books.kafka.producer import TransactionalProducer
from books.kafka.records import Record
from books.snapshots.store import SnapshotStore
from books.walk import BookPlace
from processors.decider.partition_machine import Load
from processors.partition_scorer import PartitionScorer, owed_by
from processors.replay.recovery import recover_partition, save_snapshot
from processors.stream.page_messages import PageMessages
from processors.stream.stage_counts import StageCounts
from schemas.avro.codecs import encode_record
from schemas.avro.single_object import frame
from schemas.avro.varints import long_bytes
from schemas.pages import MAX_PAGE_LINES, Folio
from schemas.posting import Posting, PostingBatch, Reason
from schemas.topics import Topics

STAGE: Final = "scoring"
# The line in a snapshot's folio: it stands after a whole page, however many lines that has.
_LAST_LINE: Final = MAX_PAGE_LINES
BATCH_BYTES: Final = 1_000_000
NOTHING_SCORED: Final = -1
# Accounts of one partition that are kept unpacked, some kilobytes each: a stream comes back to the same members, and
# packing and unpacking an account for every fact costs more than deciding it.
LIVE_ACCOUNTS: Final = 4_096


class StreamScorer:
    """One partition: `take_over`, then `score` and `commit` by turns, `release`; not for several threads at a time.

    `committed_page` is the last one that the ledger covers (NOTHING_SCORED: none), `postings_since_snapshot` what a
    restart would have to read.
    """

    def __init__(
        self,
        cluster: Cluster,
        topics: Topics,
        edition: str,
        partition: int,
        load: Load,
        *,
        snapshots: SnapshotStore | None = None,
        counts: StageCounts | None = None,
    ) -> None:
        self.partition = partition
        self.counts = counts or StageCounts()
        self.state: PartitionScorer | None = None
        self._cluster = cluster
        self._topics = topics
        self._edition = edition
        self._load = load
        self._snapshots = snapshots
        self._producer: TransactionalProducer | None = None
        self.committed_page = self._scored_page = NOTHING_SCORED
        self._postings: list[Posting] = []
        self._conflicts = 0  # among these postings
        self._partitions = 0
        self._owed = PageMessages(0)
        self.postings_since_snapshot = 0

    @property
    def has_pending(self) -> bool:
        """Whether pages were scored that are not committed."""
        return self._scored_page != self.committed_page

    def take_over(self, on_line: Callable[[], object] = lambda: None) -> int:
        """Fence the process that held the partition, and recover it to where its ledger ends; the next page to score.

        Raises:
            KafkaUnreachable: try again later.
            BooksDamaged: journal and ledger do not belong together.
        """
        started = time.perf_counter()
        self.release()
        producer = self._cluster.producer(self._topics.transactional_id(STAGE, self._edition, self.partition))
        producer.open()
        log = KafkaLogReader(self._cluster, self._topics, self._edition)
        last = log.last_batch(self._edition, self.partition)
        if self.state is None or self.has_pending or not _stands_at(self.state, last, self._scored_page):
            self._recover(log, on_line)
        self._partitions = log.partitions
        self._postings, self._conflicts, self._owed = [], 0, PageMessages(self._partitions)
        self._scored_page = self.committed_page = NOTHING_SCORED if last is None else last[1].scored_page
        self._producer = producer
        self.counts.took_over(time.perf_counter() - started)
        return self._scored_page + 1

    def score(self, record: Record) -> bool:
        """Decide all lines of one page; False for a page that is decided already. What it posts waits for `commit`.

        Raises:
            BooksDamaged: the record is no page.
            UnknownSemanticsError: it publishes rules that this program does not know how to follow.
        """
        state = self.state
        if state is None or self._producer is None:
            raise AssertionError(f"partition {self.partition} is scored without being held")
        if record.offset <= self._scored_page:
            return False
        page = page_of(record)
        number = page.page
        for at, line in enumerate(page.lines):
            postings = state.score(line, Folio(number, at))
            if postings:
                self._postings += postings
                for posting in postings:
                    self._conflicts += posting.reason == Reason.CONFLICT
                    if posting.owed:
                        for owed in owed_by(self.partition, posting):
                            self._owed.add(owed.fact, line.received_at)
        state.page = self._scored_page = number
        self.counts.facts += len(page.lines)
        return True

    def commit(self) -> None:
        """Make all that was scored since the last commit visible, at once with the facts that it owes.

        Raises:
            Fenced: another process holds the partition; it has done this work, or will.
            TransactionAborted, KafkaUnreachable: take the partition over again, or end.
        """
        producer, state = self._producer, self.state
        if producer is None or state is None or not self.has_pending:
            return
        started = time.perf_counter()
        try:
            producer.begin()
            for message in self._batches(state):
                producer.send(self._topics.ledger(self._edition), message, partition=self.partition)
            for partition, message in self._owed.messages():
                producer.send(self._topics.journal, message, partition=partition)
            producer.commit()
        except BooksError:
            self.state = None  # it includes postings that may never be committed
            self.release()
            raise
        self.counts.committed(time.perf_counter() - started, len(self._postings), self._conflicts)
        self.postings_since_snapshot += len(self._postings)
        self._postings, self._conflicts, self._owed = [], 0, PageMessages(self._partitions)
        self.committed_page = self._scored_page

    def release(self) -> None:
        """Release the partition; its state is kept, as it may be assigned to this process again."""
        if self._producer is not None:
            self._producer.close()
            self._producer = None

    def keep_snapshot(self) -> bool:
        """Save a snapshot for a quicker start; False if nothing new was committed, or there is no place for snapshots.

        Raises:
            OSError: the cache cannot be written.
        """
        if self._snapshots is None or self.state is None or self.has_pending or not self.postings_since_snapshot:
            return False
        log = KafkaLogReader(self._cluster, self._topics, self._edition)
        last = log.last_batch(self._edition, self.partition)
        if last is None or not _stands_at(self.state, last, self._scored_page):
            return False
        at, batch = last
        place = BookPlace(batch.scored_page + 1, at + 1, Folio(batch.scored_page, _LAST_LINE), self.state.number)
        save_snapshot(self._snapshots, log, self._edition, self.state, place, commit_at=at)
        self.postings_since_snapshot = 0
        return True

    def _recover(self, log: KafkaLogReader, on_line: Callable[[], object]) -> None:
        layers = log.edition(self._edition).layers
        state = PartitionScorer(self.partition, log.opened(), layers, self._load, live_accounts=LIVE_ACCOUNTS)
        self.postings_since_snapshot = 0

        def read() -> None:
            self.postings_since_snapshot += 1
            on_line()

        recover_partition(log, self._edition, state, self._snapshots, read)
        self.state = state

    def _batches(self, state: PartitionScorer) -> Iterator[bytes]:
        """The postings as messages of the ledger; the last one says up to which page the journal is decided."""
        bodies: list[bytes] = []
        size = 0
        for posting in self._postings:
            body = encode_record(posting)
            if bodies and size + len(body) > BATCH_BYTES:
                yield _batch(bodies, PostingBatch((), self.committed_page))
                bodies, size = [], 0
            bodies.append(body)
            size += len(body)
        end = PostingBatch((), self._scored_page, state.journal_digest.hex(), state.ledger_digest.hex())
        yield _batch(bodies, end)


def keep_due_snapshot(scorers: Iterable[StreamScorer], after_postings: int, say: Callable[[str], None]) -> None:
    """Save a snapshot of the first scorer that decided enough since its last one; nothing is scored meanwhile."""
    due = (one for one in scorers if one.postings_since_snapshot >= after_postings and not one.has_pending)
    scorer = next(due, None)
    if scorer is None:
        return
    try:
        scorer.keep_snapshot()
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        say(f"{what}; a restart reads the ledger instead of a snapshot")
    except KafkaUnreachable as error:
        say(f"no snapshot of partition {scorer.partition} was kept: {error}")


def _stands_at(state: PartitionScorer, last: tuple[int, PostingBatch] | None, scored_page: int) -> bool:
    """Whether a partition's state is that of the end of its ledger."""
    if last is None:
        return state.number == 0 and scored_page == NOTHING_SCORED
    batch = last[1]
    digests = (state.journal_digest.hex(), state.ledger_digest.hex())
    return scored_page == batch.scored_page and digests == (batch.journal_digest, batch.ledger_digest)


def _batch(bodies: list[bytes], end: PostingBatch) -> bytes:
    """A batch of postings that are encoded already: Avro writes an array as its count, its items and an empty rest."""
    head = long_bytes(len(bodies)) if bodies else b""
    return frame("PostingBatch", head + b"".join(bodies) + encode_record(end))
