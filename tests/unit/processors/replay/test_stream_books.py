"""Books of a stream: pages with gaps, a ledger that may be behind, and a copy in files that proves the same."""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import cast

import pytest

from books.copy import copy_books
from books.errors import BooksDamaged, BooksExist, BooksForeign, LockHolder
from books.files.reader import FileLogReader
from books.files.writer import FileLogWriter
from books.kafka.cluster import Cluster
from books.kafka.create import create_topics, open_stream
from books.kafka.log import KafkaLogReader
from books.kafka.messages import message_of, page_message
from books.kafka.records import Place
from books.walk import Walk, walk
from processors.partition_scorer import PartitionScorer, owed_by
from processors.replay.recovery import recover_partition
from processors.replay.verify import verify_books
from schemas.bounds import DAY_MS
from schemas.facts import ClockTicked, JournalOpened, RefereePurchased, members_of
from schemas.pages import Folio, JournalLine, JournalPage, Reject
from schemas.partitions import partition_of, partition_of_line
from schemas.posting import FIRST_EDITION, Posting, PostingBatch
from schemas.topics import Topics
from tests.fakes.kafka import Entry, FakeCluster
from tests.support.book_samples import guest
from tests.support.deciders import load, published
from tests.support.small_imports import PARTITIONS, RULES, START, random_facts
from tests.support.whole_books import pages_of, rejects_of, streamed_digests

OPENED = JournalOpened("imports", 1, PARTITIONS, 0, 90 * DAY_MS, 30 * DAY_MS, START)


class MemoryStream(KafkaLogReader):
    """Books on a Kafka in memory, written by `append` and scored by `score`; each record takes `gap` offsets."""

    def __init__(self, gap: int) -> None:
        self.gap = gap
        self.kafka = FakeCluster(lambda: START)
        self.scorers = [PartitionScorer(number, OPENED, (), load) for number in range(PARTITIONS)]
        cluster, topics = cast(Cluster, self.kafka), Topics(OPENED.deployment)
        create_topics(cluster, topics.table(PARTITIONS, 1))
        open_stream(cluster, topics, OPENED)
        super().__init__(cluster, topics, FIRST_EDITION)

    def put(self, topic: str, partition: int, value: bytes) -> None:
        self.kafka.publish(topic, partition, value)
        self.kafka.logs[Place(topic, partition)] += [Entry(None, None)] * (self.gap - 1)
        self.refresh()

    def append(self, partition: int, lines: Sequence[JournalLine]) -> None:
        self.put(self.topics.journal, partition, page_message(lines))

    def score(self, partition: int, pages: int = 1_000) -> None:
        """Decide up to so many pages, as one batch; what they owe goes into the journal at once."""
        scorer = self.scorers[partition]
        waiting = pages_of(self, partition, scorer.page + 1)[:pages]
        postings: list[Posting] = []
        for page in waiting:
            for at, line in enumerate(page.lines):
                for posting in scorer.score(line, Folio(page.page, at)):
                    postings.append(posting)
                    for owed in owed_by(partition, posting):
                        target = partition_of(owed.fact.member_id, PARTITIONS)
                        self.append(target, [JournalLine(owed.fact, line.received_at, owed.fact.member_id)])
            scorer.page = page.page
        if waiting:
            batch = PostingBatch(tuple(postings), scorer.page, scorer.journal_digest.hex(), scorer.ledger_digest.hex())
            self.put(self.topics.ledger(FIRST_EDITION), partition, message_of(batch))

    def batch(self, partition: int) -> PostingBatch:
        """The last one of a partition."""
        last = self.last_batch(FIRST_EDITION, partition)
        assert last is not None
        return last[1]


def stream_of(seed: int, *, behind: bool = False) -> MemoryStream:
    """Random days in a stream whose pages are cut at random and scored now and then; `behind` leaves some unscored."""
    rng = Random(seed)
    stream = MemoryStream(rng.choice((1, 2, 5)))
    rules = published(RULES, "Europe/Berlin", version="1", effective_from=0)
    for partition in range(PARTITIONS):
        stream.append(partition, [JournalLine(rules, START)])
    waiting: list[list[JournalLine]] = [[] for _ in range(PARTITIONS)]
    day = 0
    for fact in random_facts(seed, days=8):
        while fact.occurred_at >= START + (day + 1) * DAY_MS:
            day += 1
            for partition in range(PARTITIONS):
                flush(stream, partition, waiting)
                stream.append(partition, [JournalLine(ClockTicked(START + day * DAY_MS), START)])
        for member_id in members_of(fact):
            partition = partition_of_line(fact, member_id, PARTITIONS)
            waiting[partition].append(JournalLine(fact, fact.occurred_at, member_id, record=1))
            if rng.random() < 0.4:
                flush(stream, partition, waiting)
        if rng.random() < 0.3:
            stream.score(rng.randrange(PARTITIONS), rng.randrange(1, 4))
    for partition in range(PARTITIONS):
        flush(stream, partition, waiting)
    for _ in range(2):  # what the first round owes is scored in the second
        for partition in range(PARTITIONS):
            if not behind or partition != 1:
                stream.score(partition)
    return stream


def flush(stream: MemoryStream, partition: int, waiting: list[list[JournalLine]]) -> None:
    if waiting[partition]:
        stream.append(partition, waiting[partition])
        waiting[partition] = []


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_a_copy_decided_again_gives_the_digests_of_the_stream(tmp_path: Path, seed: int, *, behind: bool) -> None:
    stream = stream_of(seed, behind=behind)
    done = copy_books(stream, FIRST_EDITION, tmp_path)
    assert (done.unscored > 0) == behind
    for log in (stream, FileLogReader(tmp_path)):
        found = verify_books(log, FIRST_EDITION, load)
        assert (found.differences, found.shown) == (0, [])
        assert (found.journal_digest, found.ledger_digest) == streamed_digests(stream)
        assert found.unscored == done.unscored
        assert found.postings == done.postings


def test_a_copy_has_the_pages_and_numbers_of_the_stream(tmp_path: Path) -> None:
    stream = stream_of(1)
    for raw in (b"{", b"["):
        stream.put(stream.topics.rejects, 0, message_of(Reject("malformed", "no JSON", raw)))
    copy_books(stream, FIRST_EDITION, tmp_path)
    log = FileLogReader(tmp_path)
    for partition in range(PARTITIONS):
        pages, expected = (pages_of(each, partition) for each in (log, stream))
        assert pages == expected
        assert log.last_page(partition) == stream.last_page(partition)
        assert log.last_posting(FIRST_EDITION, partition) == stream.last_posting(FIRST_EDITION, partition)
    rejects, sent = (rejects_of(each) for each in (log, stream))
    assert (len(sent), rejects) == (2, sent)
    assert log.opened() == stream.opened()


def test_recovery_stops_where_the_ledger_covers_the_journal(tmp_path: Path) -> None:
    stream = stream_of(2, behind=True)
    copy_books(stream, FIRST_EDITION, tmp_path)
    for log in (stream, FileLogReader(tmp_path)):
        scorer = PartitionScorer(1, OPENED, (), load)
        recover_partition(log, FIRST_EDITION, scorer)
        batch = stream.batch(1)
        assert (scorer.page, scorer.number) == (batch.scored_page, batch.postings[-1].number)
        assert (scorer.journal_digest.hex(), scorer.ledger_digest.hex()) == (batch.journal_digest, batch.ledger_digest)


def test_a_derived_fact_that_never_came_is_found() -> None:
    stream = stream_of(3, behind=True)
    scored = stream.scored_page(FIRST_EDITION, 1) or 0
    waiting = pages_of(stream, 1, scored + 1)
    lost = [page.page for page in waiting if isinstance(page.lines[0].fact, RefereePurchased)]
    assert lost, "the stream holds no derived fact that waits: choose another seed"
    stream.kafka.logs[Place(stream.topics.journal, 1)][lost[0]] = Entry(None, None)
    found = verify_books(stream, FIRST_EDITION, load)
    assert found.differences == 1
    assert "owed and not in the journal" in found.shown[0].what


def test_a_derived_fact_that_waits_to_be_scored_is_not_missed() -> None:
    stream = stream_of(4, behind=True)
    assert not verify_books(stream, FIRST_EDITION, load).differences


def test_pages_of_a_stream_may_have_gaps_and_never_go_back() -> None:
    stream = stream_of(5)
    assert len(list(walk(stream, FIRST_EDITION, 0, complete=True))) > 2
    guests = [(5, JournalPage(4, (guest(1),))), (8, JournalPage(7, (guest(2),))), (9, JournalPage(6, (guest(3),)))]
    assert [walked.folio.page for walked in Walk(guests[:2], (), complete=True, gaps=True)] == [4, 7]
    with pytest.raises(BooksDamaged, match="page 6 follows where page 8 is due"):
        list(Walk(guests, (), complete=True, gaps=True))
    with pytest.raises(BooksDamaged, match="page 4 follows where page 0 is due"):
        list(Walk(guests, (), complete=True))


def test_a_copy_is_never_written_to_and_never_over_other_books(tmp_path: Path) -> None:
    copy_books(stream_of(6), FIRST_EDITION, tmp_path)
    with pytest.raises(BooksForeign, match="copy of a stream"):
        FileLogWriter(tmp_path, LockHolder(1, "here", 0, "test"))
    with pytest.raises(BooksExist):
        copy_books(stream_of(6), FIRST_EDITION, tmp_path)
