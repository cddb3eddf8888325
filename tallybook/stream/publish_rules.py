"""Puts a ruleset into a stream's journal with the ticker's transactional id, so that all partitions have one order."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from books.kafka.create import TICKER
from books.kafka.errors import Fenced
from books.kafka.messages import page_message
from books.kafka.tick_state import GROUP, TickState, kept_with
from schemas.facts import ClockTicked, RulesetPublished
from schemas.pages import JournalLine
from tallybook.folder.folder import Folder
from tallybook.folder.publish_rules import PublicationRefused
from tallybook.screen import progress
from tallybook.stream.open import Stream, open_stream


class StreamPublications:
    """Reads what was published in a stream, and publishes more; the ticker is fenced meanwhile and comes back."""

    def __init__(self, stream: Stream) -> None:
        """Read what was published. Raises TopicsMissing, BooksForeign, KafkaUnreachable."""
        self.publications: list[RulesetPublished] = []
        self.last_tick = 0
        self._stream = stream
        self._log = stream.log()
        self._partitions = self._log.partitions
        self._position = 0
        self._producer = stream.cluster.producer(stream.topics.transactional_id(TICKER))
        self._read_on()

    def take_over(self) -> None:
        """Keep every other process from ticking and publishing, and read what they did until now.

        Most was read before: a ticker that is fenced comes back within about a second.
        """
        self._producer.open()
        # Wait for open transactions: a page of an intake may stand before what the ticker has just written.
        self._log.refresh_settled()
        self._read_on()

    def close(self) -> None:
        """Let the ticker come back."""
        self._producer.close()

    def _read_on(self) -> None:
        with progress("reading what was published", None) as tick:
            for after, page in self._log.read_journal(0, self._position):
                self._position = after
                for line in page.lines:
                    if isinstance(line.fact, RulesetPublished):
                        self.publications.append(line.fact)
                    elif isinstance(line.fact, ClockTicked):
                        self.last_tick = max(self.last_tick, line.fact.at)
                tick()

    def publish(self, published: RulesetPublished, received_at: int) -> None:
        """Write a publication to all partitions at once.

        Raises:
            PublicationRefused: a ticker came back in between; nothing was written.
            KafkaUnreachable, TransactionAborted: look whether it was written before publishing again.
        """
        topics = self._stream.topics
        message = page_message((JournalLine(published, received_at),))
        state = TickState(self.last_tick, is_published=True)
        group = self._stream.cluster.group_named(topics.group(GROUP))
        try:
            self._producer.begin()
            for partition in range(self._partitions):
                self._producer.send(topics.journal, message, partition=partition)
            self._producer.commit(kept_with(state, topics), group)
        except Fenced as error:
            raise PublicationRefused(
                "the ticker wrote a tick at the same moment, and nothing was published: run the same command again"
            ) from error
        self.publications.append(published)


@contextmanager
def stream_publications(folder: Folder) -> Iterator[StreamPublications]:
    """Open the publications of a folder's stream, while no other process can tick or publish.

    Raises:
        TopicsMissing, BooksForeign, KafkaUnreachable: the stream cannot be used.
    """
    with closing(StreamPublications(open_stream(folder.root))) as publications:
        publications.take_over()
        yield publications
