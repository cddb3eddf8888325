"""Puts a ruleset into a stream's journal: under the ticker's id, so that ticks and publications have one order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from books.kafka_create import TICKER
from books.kafka_messages import page_message
from books.kafka_producing import TransactionalProducer
from books.tick_state import GROUP, TickState, kept_with
from schemas.facts import ClockTicked, RulesetPublished
from schemas.pages import JournalLine
from tallybook.folder import Folder
from tallybook.screen import progress
from tallybook.stream import Stream, open_stream


class StreamPublications:
    """What was published in a stream, and a way to publish more; whoever ticks is fenced meanwhile and comes back."""

    def __init__(self, stream: Stream, producer: TransactionalProducer) -> None:
        self.publications: list[RulesetPublished] = []
        self.last_tick = 0
        self._stream = stream
        self._producer = producer
        log = stream.log()
        self._partitions = log.partitions
        with progress("reading what was published", None) as tick:
            for _, page in log.read_journal(0):
                for line in page.lines:
                    if isinstance(line.fact, RulesetPublished):
                        self.publications.append(line.fact)
                    elif isinstance(line.fact, ClockTicked):
                        self.last_tick = max(self.last_tick, line.fact.at)
                tick()

    def publish(self, published: RulesetPublished, received_at: int) -> None:
        """Write a publication to all partitions at once. Raises Fenced, KafkaUnreachable, TransactionAborted."""
        topics = self._stream.topics
        message = page_message((JournalLine(published, received_at),))
        state = TickState(self.last_tick, is_published=True)
        self._producer.begin()
        for partition in range(self._partitions):
            self._producer.send(topics.journal, message, partition=partition)
        self._producer.commit(kept_with(state, topics), self._stream.cluster.group_named(topics.group(GROUP)))
        self.publications.append(published)


@contextmanager
def stream_publications(folder: Folder) -> Iterator[StreamPublications]:
    """The publications of a folder's stream, while nobody else can tick or publish.

    Raises:
        TopicsMissing, BooksForeign, KafkaUnreachable: the stream cannot be used.
    """
    stream = open_stream(folder.root)
    stream.log()  # before anybody is fenced: there must be books
    producer = stream.cluster.producer(stream.topics.transactional_id(TICKER))
    producer.open()
    try:
        yield StreamPublications(stream, producer)
    finally:
        producer.close()
