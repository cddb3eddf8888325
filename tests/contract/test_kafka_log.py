"""What the log on Kafka bears beyond the port's contract: aborted records, markers, strangers, other constants."""

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from books.errors import BooksDamaged, BooksForeign, UnknownEdition
from books.kafka import log as kafka_log
from books.kafka.cluster import Cluster
from books.kafka.consumer import Reader
from books.kafka.create import create_topics, open_stream
from books.kafka.errors import KafkaUnreachable, TopicsMissing
from books.kafka.log import KafkaLogReader
from books.kafka.messages import message_of, page_message
from books.kafka.records import Place
from schemas.avro.single_object import FRAME_BYTES, MARKER
from schemas.canonical import EMPTY_DIGEST, next_journal_digest, next_ledger_digest
from schemas.posting import FIRST_EDITION, PostingBatch
from schemas.topics import Topics
from tests.contract.kafka_home import KafkaHome, KafkaWriter
from tests.support.book_samples import OPENED, check_in, page, posting, postings, reject, round_of
from tests.support.waiting import wait_for
from tests.support.whole_books import pages_of

# Each leaves a record that nobody is given and a marker: more than several steps back from the end.
ABORTED = 20
WITHOUT_POSTINGS = 100
NewDeployment = Callable[[], str]


def abort_many(home: KafkaHome, times: int = ABORTED) -> None:
    """Write to all books and undo it, again and again."""
    with closing(home.producer("test-aborting")) as producer:
        for number in range(times):
            producer.begin()
            message = page_message(page(0, check_in("nobody", number)).lines)
            producer.send(home.topics.journal, message, partition=0)
            batch = PostingBatch((posting(1_000 + number),), 1_000, "ab", "cd")
            producer.send(home.topics.ledger(FIRST_EDITION), message_of(batch), partition=0)
            producer.flush()
            producer.abort()
    home.settle()


def written(home: KafkaHome) -> KafkaWriter:
    """A page and a batch, committed."""
    writer = home.write()
    writer.append_page(0, page(writer.next_page(0)))
    writer.append_postings("0001", 0, postings(1, 2))
    writer.commit(round_of(1))
    return writer


def test_new_books_have_recorded_nothing_yet(kafka_home: KafkaHome) -> None:
    log = kafka_home.read()
    assert [log.recorded_digests("0001", 0, commit_at) for commit_at in (None, 0, 1_000_000)] == [None, None, None]
    assert [log.scored_page("0001", partition) for partition in (0, 1)] == [-1, -1]
    assert [log.last_batch("0001", partition) for partition in (0, 1)] == [None, None]
    for of_edition in (log.scored_page, log.last_batch, log.read_batches):
        with pytest.raises(UnknownEdition):
            of_edition("0009", 0)
        with pytest.raises(ValueError, match="partition"):
            of_edition("0001", 2)


def test_the_last_batch_says_what_is_scored_and_where_the_digests_are(kafka_home: KafkaHome) -> None:
    with closing(written(kafka_home)) as writer:
        due = page(writer.next_page(0))
        writer.append_page(0, due)
        writer.append_postings("0001", 0, [])
        writer.commit(round_of(1))
    log = kafka_home.read()
    found = log.last_batch("0001", 0)
    assert found is not None
    offset, last = found
    journal, ledger = EMPTY_DIGEST, EMPTY_DIGEST
    for each in pages_of(log, 0)[1:]:
        for line in each.lines:
            journal = next_journal_digest(journal, line.member_id, line.fact)
    for one in postings(1, 2):
        ledger = next_ledger_digest(ledger, one)
    assert last == PostingBatch((), due.page, journal.hex(), ledger.hex())
    assert log.scored_page("0001", 0) == due.page
    assert log.last_posting("0001", 0) == posting(2, page=2)  # in the batch before
    assert log.batch_at("0001", 0, offset) == last
    assert [batch for _, batch in log.read_batches("0001", 0)][-1] == last
    assert [len(batch) for _, batch in log.read_ledger("0001", 0)] == [2]  # one without postings is none to the port
    for elsewhere in (-1, 0, offset - 1, offset + 1, offset + 2, offset + 1_000):
        assert log.batch_at("0001", 0, elsewhere) is None


def test_the_last_records_are_found_behind_long_runs_of_aborted_ones(kafka_home: KafkaHome) -> None:
    abort_many(kafka_home)
    opening = kafka_home.read()
    journal = Place(kafka_home.topics.journal, 0)
    assert opening.end(journal) > 2 * ABORTED
    assert (opening.last_batch("0001", 0), opening.last_posting("0001", 0)) == (None, None)
    assert opening.last_page(0) == pages_of(opening, 0)[0]
    written(kafka_home).close()
    before = kafka_home.read()
    abort_many(kafka_home)
    log = kafka_home.read()
    assert log.end(journal) > before.end(journal)
    assert len(pages_of(log, 0)) == 2
    assert log.last_page(0) == pages_of(log, 0)[-1]
    assert log.last_batch("0001", 0) == before.last_batch("0001", 0) is not None
    assert log.last_posting("0001", 0) == posting(2, page=2)
    last = log.last_record(journal)
    assert last is not None
    assert (last.offset, log.last_record(journal, last.offset + 1)) == (pages_of(log, 0)[-1].page, last)
    first = log.last_record(journal, last.offset)
    assert first is not None
    assert (first.offset, log.last_record(journal, 0)) == (0, None)
    found = before.last_batch("0001", 0)
    assert found is not None
    assert log.batch_at("0001", 0, found[0] + 3) is None  # an aborted one, or a marker


class CountingCluster(Cluster):
    """Counts how often somebody begins to read: each time is a new connection."""

    readers = 0

    def reader(self, settings: Mapping[str, Any] | None = None) -> Reader:
        self.readers += 1
        return super().reader(settings)


def test_the_last_posting_is_found_behind_many_pages_that_made_none(kafka_home: KafkaHome) -> None:
    with closing(written(kafka_home)) as writer:
        for _ in range(WITHOUT_POSTINGS):
            writer.append_postings("0001", 0, [])
        writer.commit(round_of(0))
    cluster = CountingCluster(kafka_home.cluster.bootstrap)
    log = KafkaLogReader(cluster, kafka_home.topics, FIRST_EDITION)
    cluster.readers = 0
    assert log.last_posting("0001", 0) == posting(2, page=2)
    assert cluster.readers < WITHOUT_POSTINGS / 8


def test_settled_books_show_all_of_the_journal_that_was_written(
    kafka_home: KafkaHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = kafka_home.read()
    other = kafka_home.producer()
    other.begin()
    other.send(kafka_home.topics.journal, page_message(page(0).lines), partition=1)
    other.flush()
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 1:
            other.commit()
        time.sleep(seconds)

    monkeypatch.setattr(kafka_log, "time", SimpleNamespace(sleep=pause))
    log.refresh()
    assert (len(pages_of(log, 1)), pauses) == (1, [])
    log.refresh_settled()
    assert len(pages_of(log, 1)) == 2
    assert pauses
    other.close()


def test_books_that_do_not_settle_are_unreachable(kafka_home: KafkaHome, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(kafka_home.producer()) as other:
        other.begin()
        other.send(kafka_home.topics.journal, page_message(page(0).lines), partition=1)
        other.flush()
        monkeypatch.setattr(kafka_log, "time", SimpleNamespace(sleep=lambda _: None))
        monkeypatch.setattr(kafka_log, "SETTLE_TRIES", 3)
        with pytest.raises(KafkaUnreachable, match="a transaction in the journal has been open"):
            kafka_home.read().refresh_settled()
        other.abort()


def test_a_transaction_of_another_partition_hides_nothing_here(kafka_home: KafkaHome) -> None:
    with closing(kafka_home.producer()) as other:
        other.begin()
        other.send(kafka_home.topics.journal, page_message(page(0).lines), partition=1)
        other.flush()
        writer = kafka_home.cluster.producer(kafka_home.topics.transactional_id("test-second"))
        writer.open()
        writer.begin()
        for partition in (0, 1):
            writer.send(kafka_home.topics.journal, page_message(page(0).lines), partition=partition)
        writer.commit()
        writer.close()
        log = kafka_home.read()

        def is_shown() -> bool:
            log.refresh()
            return len(pages_of(log, 0)) == 2

        wait_for("the committed page is shown", is_shown)
        assert [len(pages_of(log, partition)) for partition in (0, 1)] == [2, 1]  # behind an open one: not yet
        other.abort()
    kafka_home.settle()
    log.refresh()
    assert [len(pages_of(log, partition)) for partition in (0, 1)] == [2, 2]


FOREIGN: list[tuple[bytes | None, str]] = [
    (b"hello", "somebody else has written to this topic"),
    (b"", "somebody else has written to this topic"),
    (None, "somebody else has written to this topic"),
    (MARKER + b"\1\2\3\4\5\6\7\x08body", "another version of Tallybook"),
    (page_message(page(0).lines)[:FRAME_BYTES], "a record cannot be read"),
    (page_message(page(0).lines) + b"more", "a record cannot be read"),
]


def test_a_foreign_record_is_named_by_its_place(kafka_home: KafkaHome) -> None:
    topics = kafka_home.topics
    publisher = kafka_home.cluster.publisher()
    for foreign, _ in FOREIGN:
        for topic in (topics.journal, topics.ledger(FIRST_EDITION), topics.rejects):
            publisher.send(topic, foreign, partition=0)
    publisher.flush()
    log = kafka_home.read()
    first = log.end(Place(topics.journal, 0)) - len(FOREIGN)
    for at, (_, told) in enumerate(FOREIGN):
        with pytest.raises(BooksDamaged, match=told) as damaged:
            next(log.read_journal(0, first + at))
        assert f"{topics.journal}/0 at offset {first + at}" in str(damaged.value)
        in_ledger = "a JournalPage stands where a PostingBatch is due" if "cannot be read" in told else told
        with pytest.raises(BooksDamaged, match=in_ledger):
            next(log.read_ledger("0001", 0, first + at))
        with pytest.raises(BooksDamaged, match=in_ledger.replace("PostingBatch", "Reject")):
            next(log.read_rejects(at))
    for call in (log.last_page, lambda partition: log.last_posting("0001", partition)):
        with pytest.raises(BooksDamaged):
            call(0)
    assert len(pages_of(log, 1)) == 1


def test_topics_that_are_not_there_are_named(bootstrap: str, new_deployment: NewDeployment) -> None:
    topics = Topics(new_deployment())
    with pytest.raises(TopicsMissing, match="tallybook topics create") as missing:
        KafkaLogReader(Cluster(bootstrap), topics, FIRST_EDITION)
    assert missing.value.missing == [topics.journal, topics.ledger(FIRST_EDITION), topics.rejects]


def test_a_journal_that_was_not_opened_is_told_from_one_that_was(bootstrap: str, new_deployment: NewDeployment) -> None:
    cluster, topics = Cluster(bootstrap), Topics(new_deployment())
    create_topics(cluster, tuple(one for one in topics.table(2) if one.kind != "facts"))
    with pytest.raises(TopicsMissing, match="with an opening in it: run `tallybook topics create`"):
        KafkaLogReader(cluster, topics, FIRST_EDITION)
    with closing(cluster.producer(topics.transactional_id("test"))) as producer:
        producer.open()
        producer.begin()
        producer.send(topics.journal, page_message(page(0).lines), partition=0)
        producer.flush()
        producer.abort()  # an opening that came to nothing is none
    opened = msgspec.structs.replace(OPENED, deployment=topics.deployment)
    assert open_stream(cluster, topics, opened)
    assert not open_stream(cluster, topics, opened)


def test_a_journal_with_other_records_is_refused(bootstrap: str, new_deployment: NewDeployment) -> None:
    cluster, topics = Cluster(bootstrap), Topics(new_deployment())
    create_topics(cluster, tuple(one for one in topics.table(2) if one.kind != "facts"))
    publisher = cluster.publisher()
    publisher.send(topics.journal, page_message(page(0).lines), partition=0)
    publisher.flush()
    opened = msgspec.structs.replace(OPENED, deployment=topics.deployment)
    with pytest.raises(BooksForeign, match="is not the opening"):
        KafkaLogReader(cluster, topics, FIRST_EDITION)
    with pytest.raises(BooksForeign, match="the first of them is not the opening"):
        open_stream(cluster, topics, opened)


def test_a_journal_of_other_constants_is_refused(kafka_home: KafkaHome) -> None:
    cluster, topics = kafka_home.cluster, kafka_home.topics
    for change in ({"partitions": 3}, {"horizon_ms": 1}, {"referral_window_ms": 1}, {"generation": 2}):
        other = msgspec.structs.replace(kafka_home.opened, **change)
        with pytest.raises(BooksForeign, match="was opened as"):
            open_stream(cluster, topics, other)
    assert not open_stream(cluster, topics, msgspec.structs.replace(kafka_home.opened, opened_at=1))
    stranger = msgspec.structs.replace(kafka_home.opened, deployment="another")
    with pytest.raises(BooksForeign):
        open_stream(cluster, topics, stranger)


def test_other_partition_counts_are_refused(bootstrap: str, new_deployment: NewDeployment) -> None:
    cluster, topics = Cluster(bootstrap), Topics(new_deployment())
    for journal in (2, 3):
        for topic in topics.table(journal):
            if topic.kind == "ledger" or (topic.kind == "journal" and journal == 3) or topic.kind == "rejects":
                cluster.create_topic(topic.name, topic.partitions, 1, topic.settings(1))
    names = [topics.journal, topics.ledger(FIRST_EDITION), topics.rejects]
    wait_for("the topics are shown", lambda: len(cluster.partitions(names)) == len(names))
    with pytest.raises(BooksForeign, match=r"has 2 partitions, and .* has 3"):
        KafkaLogReader(cluster, topics, FIRST_EDITION)

    grown = Topics(new_deployment())
    create_topics(cluster, tuple(one for one in grown.table(3) if one.kind != "facts"))
    with closing(cluster.producer(grown.transactional_id("test"))) as producer:
        producer.open()
        producer.begin()
        opening = check_in("ann", 1).__class__(msgspec.structs.replace(OPENED, deployment=grown.deployment), 1)
        producer.send(grown.journal, page_message((opening,)), partition=0)
        producer.commit()
    with pytest.raises(BooksForeign, match=r"is not the opening of deployment .* with 3 partitions"):
        _reader_of_written(cluster, grown)


def _reader_of_written(cluster: Cluster, topics: Topics) -> KafkaLogReader:
    """The reader, once what was just committed is seen."""
    place = Place(topics.journal, 0)
    wait_for("what was committed is seen", lambda: cluster.ends([place])[place])
    return KafkaLogReader(cluster, topics, FIRST_EDITION)


def test_rejects_count_by_offset(kafka_home: KafkaHome) -> None:
    with closing(kafka_home.write()) as writer:
        kept = [writer.append_rejects([reject(n)])[0] for n in (1, 2)]
        writer.commit(round_of(0))
        kept.append(writer.append_rejects([reject(3)])[0])
        writer.commit(round_of(0))
    found = [(end, each) for end, (each,) in kafka_home.read().read_rejects()]
    assert found == [(one.number, one) for one in kept]
    assert [one.number for one in kept] == [1, 2, 4]  # the marker of the first transaction took a number
