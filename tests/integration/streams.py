"""A deployment of its own for a test, opened on a real Kafka, with what is needed to feed it and to look into it."""

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from confluent_kafka import Producer

from books.kafka.cluster import Cluster
from books.kafka.create import TICKER, create_topics, open_stream
from books.kafka.log import KafkaLogReader
from books.kafka.messages import page_message
from books.kafka.records import Place
from books.kafka.tick_state import GROUP, TickState, kept_with
from processors.stream.intake import StreamIntake
from processors.stream.message_door import WriterSchemas
from processors.stream.stage_counts import StageCounts
from schemas.bounds import DAY_MS
from schemas.facts import ClockTicked, JournalOpened
from schemas.pages import JournalLine, Reject
from schemas.posting import FIRST_EDITION
from schemas.topics import Topics
from tallybook.stream.settings import load_settings, write_settings
from tests.support import hostile
from tests.support.deciders import published
from tests.support.small_imports import RULES
from tests.support.waiting import wait_until_settled
from tests.support.whole_books import lines_of, rejects_of

PARTITIONS: Final = 2
LARGEST_MESSAGE: Final = 12 << 20
MAX_STEPS: Final = 600
FLUSH_SECONDS: Final = 30.0
# Publishers own their topics: here the time in a record is theirs, so that no test depends on the day it runs on.
THEIR_TOPICS: Final = {
    "message.timestamp.type": "CreateTime",
    "message.timestamp.after.max.ms": str(2**62),
    "message.timestamp.before.max.ms": str(2**62),
    "retention.ms": "-1",
    "max.message.bytes": str(LARGEST_MESSAGE),
}


class Message(NamedTuple):
    """One message to a topic; its header `case` names it."""

    topic: str
    value: bytes | None
    headers: Mapping[str, str | bytes | None] = {}
    key: bytes | None = None


class Deployment:
    """A deployment whose clock stands where that of the hostile corpus does."""

    def __init__(self, bootstrap: str, name: str, *, partitions: int = PARTITIONS, has_rules: bool = True) -> None:
        self.cluster = Cluster(bootstrap)
        self.topics = Topics(name)
        table = self.topics.table(partitions, PARTITIONS)
        for topic in table:
            if topic.kind == "facts":
                self.cluster.create_topic(topic.name, topic.partitions, 1, topic.settings(1) | THEIR_TOPICS)
        create_topics(self.cluster, table, 1)
        self.opened = JournalOpened(name, 1, partitions, 0, hostile.HORIZON_MS, 30 * DAY_MS, hostile.NOW)
        open_stream(self.cluster, self.topics, self.opened)
        if has_rules:
            rules = published(RULES, "Europe/Berlin", version="1", effective_from=0)
            self.write(page_message((JournalLine(rules, hostile.NOW),)), TickState(0, is_published=True))

    def folder(self, path: Path, **settings: str) -> Path:
        """A folder that speaks of it, for the command line."""
        given = {"bootstrap": self.cluster.bootstrap, "deployment": self.topics.deployment, **settings}
        write_settings(path, load_settings(path, **given))
        return path

    def log(self) -> KafkaLogReader:
        """The committed books, as of now; no transaction may be open."""
        topics = (self.topics.journal, self.topics.ledger(FIRST_EDITION))
        every = range(self.opened.partitions)
        places = [Place(topic, partition) for topic in topics for partition in every]
        wait_until_settled(self.cluster, [*places, Place(self.topics.rejects, 0)])
        return KafkaLogReader(self.cluster, self.topics, FIRST_EDITION)

    def tick(self, at: int) -> None:
        """Bring time to `at`, in UTC ms, as the ticker would."""
        state = TickState(at, is_published=True)
        self.write(page_message((JournalLine(ClockTicked(at), at),)), state)

    def write(self, page: bytes, state: TickState) -> None:
        """Write a page into every partition of the journal under the ticker's id."""
        producer = self.cluster.producer(self.topics.transactional_id(TICKER))
        producer.open()
        producer.begin()
        for partition in range(self.opened.partitions):
            producer.send(self.topics.journal, page, partition=partition)
        producer.commit(kept_with(state, self.topics), self.cluster.group_named(self.topics.group(GROUP)))
        producer.close()

    def send(self, messages: list[Message], *, at: int = hostile.NOW) -> list[tuple[Place, int]]:
        """Send messages, all at one instant of the publisher's clock; where each of them came to stand."""
        producer = Producer(
            {
                "bootstrap.servers": self.cluster.bootstrap,
                "message.max.bytes": LARGEST_MESSAGE,
                "partitioner": "consistent_random",
                "linger.ms": 5,
            }
        )
        stands: dict[int, tuple[Place, int]] = {}
        for number, message in enumerate(messages):

            def arrived(error: Any, sent: Any, number: int = number) -> None:
                assert error is None, error
                stands[number] = (Place(sent.topic(), sent.partition()), sent.offset())

            producer.produce(
                message.topic,
                message.value,
                message.key,
                headers=list(message.headers.items()),
                timestamp=at,
                on_delivery=arrived,
            )
            producer.poll(0)
        assert producer.flush(FLUSH_SECONDS) == 0
        return [stands[number] for number in range(len(messages))]

    def intake(self, schemas: WriterSchemas, say: Callable[[str], None] = lambda _: None) -> StreamIntake:
        """An intake whose clock moves by 20 ms each time that it is looked at."""
        instants = itertools.count(hostile.NOW, 20)
        return StreamIntake(
            self.cluster,
            self.topics,
            self.opened,
            schemas,
            instance="test",
            now=lambda: next(instants),
            say=say,
            counts=StageCounts(),
        )

    def rejects(self) -> list[Reject]:
        """All rejects."""
        return rejects_of(self.log())

    def facts(self) -> list[Any]:
        """All facts of publishers in the journal, once for each line."""
        log = self.log()
        return [line.fact for n in range(log.partitions) for line in lines_of(log, n) if line.input]


def take_in(intake: StreamIntake, records: int) -> None:
    """Step until so many records were taken in since it started."""
    for _ in range(MAX_STEPS):
        if intake.counts.records >= records:
            break
        intake.step()
    assert intake.counts.records == records
