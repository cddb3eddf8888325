"""Asks and changes a Kafka cluster: topics, offsets, groups; makes the readers and producers that work on it."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any, Final

import confluent_kafka
from confluent_kafka import Consumer, ConsumerGroupState, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec, ResourceType

from books.kafka.client_errors import MAX_MESSAGE_BYTES, MISSING, Answer, ask_again, typed_errors
from books.kafka.consumer import GroupConsumer, Reader
from books.kafka.producer import Publisher, TransactionalProducer
from books.kafka.records import ConsumerInGroup, GroupOffset, GroupView, Place
from books.kafka.take_over import USUAL, Timing

# A broker waits so long for more records before it says that a reader is at the end, which most readers want to know.
READER_WAIT_MS: Final = 10
# What the client fetches ahead of each partition; its own default would be 64 MB.
QUEUED_KBYTES: Final = 4_096
# How often to look whether topics have got more partitions.
METADATA_MS: Final = 30_000
MAX_POLL_INTERVAL_MS: Final = 300_000
ANSWER_SECONDS: Final = 3.0
MAX_FETCH_BYTES: Final = 32 << 20
MAX_QUEUED_KILOBYTES: Final = 64 << 10
_SILENT: Final = logging.getLogger("tallybook.librdkafka")
_SILENT.propagate = False
_SILENT.addHandler(logging.NullHandler())
_LATEST: Final[OffsetSpec] = OffsetSpec.latest()  # type: ignore[no-untyped-call] # confluent-kafka left it unannotated
_EARLIEST: Final[OffsetSpec] = OffsetSpec.earliest()  # type: ignore[no-untyped-call] # confluent-kafka left it unannotated


class Cluster:
    """A Kafka, as its bootstrap address and client settings (such as security.protocol) name it. Opens nothing yet."""

    def __init__(self, bootstrap: str, settings: Mapping[str, str] | None = None, *, timing: Timing = USUAL) -> None:
        self.bootstrap = bootstrap
        self.timing = timing
        self._settings: dict[str, Any] = {
            **(settings or {}),
            "bootstrap.servers": bootstrap,
            "client.id": "tallybook",
            # What goes wrong is raised where it happens; the library would log it a second time, and what it calls
            # fatal goes to standard error at any level, unless a logger takes it.
            "log_level": 0,
            "logger": _SILENT,
            "socket.timeout.ms": int(timing.request_seconds * 1000),
        }
        self._admin: AdminClient | None = None

    def partitions(self, topics: Iterable[str]) -> dict[str, int]:
        """How many partitions each topic has; those that do not exist are left out. Raises KafkaUnreachable."""
        wanted = set(topics)

        def ask() -> dict[str, int]:
            found = self._client().list_topics(timeout=self.timing.request_seconds).topics
            there = {name: topic for name, topic in found.items() if name in wanted}
            for topic in there.values():
                # A topic without a leader for the moment still exists.
                if topic.error is not None and topic.error.code() not in MISSING:
                    raise KafkaException(topic.error)
            return {name: len(topic.partitions) for name, topic in there.items() if topic.error is None}

        return self._asked(ask)

    def brokers(self) -> int:
        """How many brokers there are. Raises KafkaUnreachable."""
        return self._asked(lambda: len(self._client().list_topics(timeout=self.timing.request_seconds).brokers))

    def create_topic(self, name: str, partitions: int, replication: int, settings: Mapping[str, str]) -> bool:
        """Create a topic; False where it exists already."""
        new = NewTopic(name, num_partitions=partitions, replication_factor=replication, config=dict(settings))

        def ask() -> bool:
            try:
                self._client().create_topics([new], request_timeout=self.timing.request_seconds)[name].result()
            except KafkaException as error:
                if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                    return False
                raise
            return True

        return self._asked(ask)

    def topic_settings(self, topics: Sequence[str]) -> dict[str, dict[str, str]]:
        """The present settings of topics that exist."""
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in topics]

        def ask() -> dict[str, dict[str, str]]:
            futures = self._client().describe_configs(resources, request_timeout=self.timing.request_seconds)
            return {
                resource.name: {key: str(entry.value) for key, entry in future.result().items()}
                for resource, future in futures.items()
            }

        return self._asked(ask)

    def ends(self, places: Iterable[Place], *, committed: bool = True) -> dict[Place, int]:
        """The offset after the last record; `committed`: of those that readers see, before any open transaction."""
        level = confluent_kafka.IsolationLevel
        isolation = level.READ_COMMITTED if committed else level.READ_UNCOMMITTED
        return self._offsets(places, _LATEST, isolation)

    def begins(self, places: Iterable[Place]) -> dict[Place, int]:
        """The offset of the first record that is still there."""
        return self._offsets(places, _EARLIEST, confluent_kafka.IsolationLevel.READ_UNCOMMITTED)

    def _offsets(self, places: Iterable[Place], which: OffsetSpec, isolation: Any) -> dict[Place, int]:
        wanted = {TopicPartition(*place): which for place in places}
        if not wanted:
            return {}

        def ask() -> dict[Place, int]:
            futures = self._client().list_offsets(
                wanted, isolation_level=isolation, request_timeout=self.timing.request_seconds
            )
            return {Place(key.topic, key.partition): future.result().offset for key, future in futures.items()}

        return self._asked(ask)

    def group_offsets(self, group: str, places: Iterable[Place]) -> dict[Place, GroupOffset]:
        """What a group has committed, in ended transactions; partitions without an offset are left out.

        Raises KafkaUnreachable. A consumer asks, not the administration client, whose library ends the process if the
        brokers come back after such a request ran out of time (seen with librdkafka 2.16).
        """
        wanted = [TopicPartition(*place) for place in places]

        def ask(consumer: Consumer) -> dict[Place, GroupOffset]:
            found = _without_errors(consumer.committed(wanted, timeout=self.timing.request_seconds))
            return {
                Place(each.topic, each.partition): GroupOffset(each.offset, each.metadata or "")
                for each in found
                if each.offset >= 0
            }

        with closing(Consumer(self._consumer_settings({"group.id": group}))) as consumer:
            return self._asked(lambda: ask(consumer))

    def group_view(self, group: str) -> GroupView:
        """Who is in a group now; nobody, where there is no such group. Raises KafkaUnreachable, KafkaRefused."""

        def ask() -> GroupView:
            self._must_answer()
            try:
                asked = self._client().describe_consumer_groups([group], request_timeout=self.timing.request_seconds)
                return _view(asked[group].result())
            except KafkaException as error:
                if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                    return GroupView()
                # Once this request has timed out, the library's client never again gets an answer to it (seen in 2.16).
                self._admin = None
                raise

        return self._asked(ask)

    def _must_answer(self) -> None:
        """Ask first for something that cannot do harm. Raises KafkaUnreachable.

        The library was seen to end the process when brokers came back after a request to a coordinator had timed out.
        """
        with typed_errors(self.bootstrap):
            ask_again(lambda: self._client().list_topics(timeout=ANSWER_SECONDS), ANSWER_SECONDS)

    def keep_texts(self, group: str, texts: Mapping[Place, str]) -> None:
        """Keep a short text beside the offset 0 of each place, for a group that nobody joins (see `group_offsets`).

        Other processes read it there, without a topic of its own. It may be lost without harm.

        Raises:
            KafkaUnreachable, KafkaRefused: not all of them are kept.
        """
        offsets = [TopicPartition(*place, 0, metadata=text) for place, text in texts.items()]
        request = confluent_kafka.ConsumerGroupTopicPartitions(group, offsets)

        def ask() -> None:
            self._must_answer()
            asked = self._client().alter_consumer_group_offsets([request], request_timeout=self.timing.request_seconds)
            (future,) = asked.values()
            _without_errors(future.result().topic_partitions)

        self._asked(ask)

    def reader(self, settings: Mapping[str, Any] | None = None) -> Reader:
        """A reader of given places that belongs to no group; `settings` of the client override the usual ones."""
        usual = {"group.id": "tallybook-reader", "fetch.wait.max.ms": READER_WAIT_MS}
        return Reader(self.bootstrap, self._consumer_settings({**usual, **(settings or {})}))

    def group_consumer(self, group: str, instance: str) -> GroupConsumer:
        """One consumer of a group, a static member of it under the name `instance`."""
        settings = {
            "group.id": group,
            "group.instance.id": instance,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": int(self.timing.session_seconds * 1000),
            "heartbeat.interval.ms": int(self.timing.heartbeat_seconds * 1000),
            "max.poll.interval.ms": MAX_POLL_INTERVAL_MS,
            "partition.assignment.strategy": "range,roundrobin",
            "queued.max.messages.kbytes": QUEUED_KBYTES,
            "topic.metadata.refresh.interval.ms": METADATA_MS,
        }
        return GroupConsumer(self.bootstrap, self._consumer_settings(settings))

    def group_named(self, group: str) -> object:
        """The metadata of a group that nobody joins, for a transaction that keeps offsets in its name."""
        with closing(Consumer(self._consumer_settings({"group.id": group}))) as consumer:
            return consumer.consumer_group_metadata()

    def producer(self, transactional_id: str, *, timeout_seconds: float | None = None) -> TransactionalProducer:
        """A producer of transactions; it fences all others of the same id once it is opened."""
        seconds = self.timing.transaction_seconds if timeout_seconds is None else timeout_seconds
        settings = {"transactional.id": transactional_id, "transaction.timeout.ms": int(seconds * 1000)}
        return TransactionalProducer(self.bootstrap, self._producer_settings() | settings)

    def publisher(self) -> Publisher:
        """A producer without transactions, for facts."""
        return Publisher(self.bootstrap, self._producer_settings() | {"enable.idempotence": True})

    def _asked(self, ask: Callable[[], Answer]) -> Answer:
        """What the brokers answer, asked again while leaders or coordinators change hands. Raises typed errors."""
        with typed_errors(self.bootstrap):
            return ask_again(ask, self.timing.request_seconds)

    def _producer_settings(self) -> dict[str, Any]:
        return {
            **self._settings,
            "acks": "all",
            "compression.type": "zstd",
            "linger.ms": 5,
            "message.max.bytes": MAX_MESSAGE_BYTES,
            "delivery.report.only.error": True,
        }

    def _consumer_settings(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **self._settings,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "fetch.queue.backoff.ms": 20,  # the default of 1000 stalls a reader that takes large messages
            "fetch.wait.max.ms": 100,
            "fetch.max.bytes": MAX_FETCH_BYTES,
            "max.partition.fetch.bytes": MAX_MESSAGE_BYTES,
            "queued.max.messages.kbytes": MAX_QUEUED_KILOBYTES,
            **settings,
        }

    def _client(self) -> AdminClient:
        if self._admin is None:
            self._admin = AdminClient(self._settings)
        return self._admin


def _without_errors(partitions: list[TopicPartition]) -> list[TopicPartition]:
    """The same partitions. Raises KafkaException where one of them says that it failed."""
    for each in partitions:
        if each.error is not None:
            raise KafkaException(each.error)
    return partitions


def _view(described: Any) -> GroupView:
    members = tuple(
        ConsumerInGroup(
            one.group_instance_id or one.member_id,
            frozenset(Place(at.topic, at.partition) for at in one.assignment.topic_partitions),
        )
        for one in described.members
    )
    return GroupView(described.state == ConsumerGroupState.STABLE, members)
