"""Opens the books of a deployment on Kafka: its topics, and in one transaction the first record of every partition."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Final

import msgspec

from books.errors import BooksForeign
from books.kafka.cluster import Cluster
from books.kafka.errors import KafkaUnreachable
from books.kafka.log import POLL_SECONDS
from books.kafka.messages import message_of, opening_of, page_message
from books.kafka.records import Place
from books.opening import readable
from schemas.bounds import MAX_EVENT_BYTES
from schemas.facts import JournalOpened
from schemas.pages import JournalLine
from schemas.posting import FIRST_EDITION, EditionOpened
from schemas.topics import LEAST_FACTS_KEPT_MS, Topic, Topics

# Ticks, publications and the opening have one id, so that their order is the same in every partition.
TICKER: Final = "ticker"
OPENING_SECONDS: Final = 10
REPLICATED_FROM: Final = 3
SEEN_TRIES: Final = 200
SEEN_SECONDS: Final = 0.05
# Settings whose present values are held against the table; the others are the operators' own affair.
_EXACT: Final = ("cleanup.policy", "min.insync.replicas")


class Drift(msgspec.Struct, frozen=True):
    """One setting of a topic that is not as Tallybook needs it; `is_dangerous` where points could be lost by it."""

    topic: str
    what: str
    is_dangerous: bool


def create_topics(cluster: Cluster, table: tuple[Topic, ...], replication: int | None = None) -> list[str]:
    """Create the topics that do not exist; gives their names.

    Raises:
        BooksForeign: there is a journal or ledger already, with another number of partitions; nothing was created.
        KafkaUnreachable, KafkaRefused: not all of them were created; again is harmless.
    """
    copies = replication or (REPLICATED_FROM if cluster.brokers() >= REPLICATED_FROM else 1)
    present = cluster.partitions(topic.name for topic in table)
    for topic in table:
        if topic.kind in {"journal", "ledger"} and present.get(topic.name, topic.partitions) != topic.partitions:
            what = f"{topic.name} has {present[topic.name]} partitions, and {topic.partitions} were asked for"
            to_do = "A book keeps its partitions for ever: ask for as many (--partitions), or use another deployment."
            raise BooksForeign(cluster.bootstrap, what, to_do)
    created = [
        topic.name
        for topic in table
        if topic.name not in present
        and cluster.create_topic(topic.name, topic.partitions, copies, topic.settings(copies))
    ]
    _await_topics(cluster, [topic.name for topic in table])
    return created


def _await_topics(cluster: Cluster, names: list[str]) -> None:
    """Wait until new topics show: a broker that has not heard of one yet says that there is none."""
    for _ in range(SEEN_TRIES):
        if len(cluster.partitions(names)) == len(names):
            return
        time.sleep(SEEN_SECONDS)
    raise KafkaUnreachable(cluster.bootstrap, f"{', '.join(names)} were created, and do not all show yet")


def open_stream(cluster: Cluster, topics: Topics, opened: JournalOpened) -> bool:
    """Write the opening into every partition of journal and ledger, at once; False where it stands there already.

    Raises:
        BooksForeign: the journal holds something else, or is that of other constants.
        KafkaUnreachable, KafkaRefused, Fenced: nothing was written.
    """
    # Only one producer has this id at a time: what another wrote meanwhile is committed or undone by now.
    with closing(cluster.producer(topics.transactional_id(TICKER))) as producer:
        producer.open()
        if _is_open(cluster, topics, opened):
            return False
        edition = EditionOpened(
            FIRST_EDITION, opened.deployment, opened.generation, opened.partitions, opened_at=opened.opened_at
        )
        producer.begin()
        for partition in range(opened.partitions):
            line = JournalLine(msgspec.structs.replace(opened, partition=partition), opened.opened_at)
            producer.send(topics.journal, page_message((line,)), partition=partition)
            producer.send(topics.ledger(FIRST_EDITION), message_of(edition), partition=partition)
        producer.commit()
    return True


def _is_open(cluster: Cluster, topics: Topics, opened: JournalOpened) -> bool:
    """Whether the first record of the journal is this opening; False where there is none. Raises BooksForeign."""
    place = Place(topics.journal, 0)
    end = cluster.ends([place])[place]
    if end == 0:
        return False
    with closing(cluster.reader()) as reader:
        reader.set_on({place: 0})
        for _ in range(OPENING_SECONDS):
            polled = reader.poll(1, POLL_SECONDS)
            if polled.records:
                found = opening_of(polled.records[0])
                break
            if polled.at_end.get(place, -1) >= end:
                return False
        else:
            raise KafkaUnreachable(cluster.bootstrap, f"nothing came from {topics.journal}")
    if found is None:
        what = f"{topics.journal} has records, and the first of them is not the opening of a journal"
        raise BooksForeign(cluster.bootstrap, what, "Choose another name for the deployment.")
    readable(found, cluster.bootstrap)
    told = msgspec.structs.replace(found, partition=0, opened_at=opened.opened_at, books_version=opened.books_version)
    if told != opened:
        what = f"{topics.journal} was opened as {_constants(found)}, and not as {_constants(opened)}"
        raise BooksForeign(cluster.bootstrap, what, "These are fixed when a journal is opened; use another deployment.")
    return True


def _constants(opened: JournalOpened) -> str:
    days = opened.horizon_ms // 86_400_000
    return f"deployment {opened.deployment!r} with {opened.partitions} partitions and a horizon of {days} days"


def check_topics(cluster: Cluster, table: tuple[Topic, ...]) -> list[Drift]:
    """What is not as it should be; none where all is well. Raises KafkaUnreachable."""
    present = cluster.partitions(topic.name for topic in table)
    missing = [Drift(topic.name, "does not exist", is_dangerous=True) for topic in table if topic.name not in present]
    settings = cluster.topic_settings([topic.name for topic in table if topic.name in present])
    brokers = cluster.brokers()
    found = list(missing)
    for topic in table:
        if topic.name in present:
            found += _drifts(topic, present[topic.name], settings[topic.name], brokers)
    facts = [int(settings[topic.name]["max.message.bytes"]) for topic in table if _is(topic, "facts", settings)]
    for topic in table:
        if _is(topic, "rejects", settings) and facts:
            kept = min(max(facts), MAX_EVENT_BYTES)
            if int(settings[topic.name]["max.message.bytes"]) < kept + (64 << 10):
                what = f"max.message.bytes {settings[topic.name]['max.message.bytes']} is too small to keep a fact"
                found.append(Drift(topic.name, f"{what} of {kept:,} bytes that is refused", is_dangerous=True))
    return found


def _is(topic: Topic, kind: str, settings: dict[str, dict[str, str]]) -> bool:
    return topic.kind == kind and topic.name in settings


def _drifts(topic: Topic, partitions: int, settings: dict[str, str], brokers: int) -> Iterator[Drift]:
    wanted = topic.settings(REPLICATED_FROM if brokers >= REPLICATED_FROM else 1)
    if topic.kind != "facts" and partitions != topic.partitions:
        yield Drift(topic.name, f"has {partitions} partitions, and must have {topic.partitions}", is_dangerous=True)
    kept = int(settings["retention.ms"])
    if topic.kind == "facts":
        if 0 <= kept < LEAST_FACTS_KEPT_MS:
            what = f"keeps facts for {kept // 3_600_000} hours: an intake that is down for longer loses them"
            yield Drift(topic.name, f"{what}; set retention.ms to {topic.retention_ms}", is_dangerous=True)
        if settings["message.timestamp.type"] != "LogAppendTime":
            what = "message.timestamp.type is CreateTime: how long a fact has waited is told by its publisher's clock"
            yield Drift(topic.name, what, is_dangerous=False)
    elif kept != topic.retention_ms:
        what = f"retention.ms is {kept}: books are kept for ever; set it to {topic.retention_ms}"
        yield Drift(topic.name, what, is_dangerous=True)
    if topic.kind != "facts":
        if int(settings["retention.bytes"]) >= 0:
            what = f"retention.bytes is {settings['retention.bytes']}: books are kept for ever; set it to -1"
            yield Drift(topic.name, what, is_dangerous=True)
        if int(settings["max.message.bytes"]) < topic.max_bytes:
            what = f"max.message.bytes is {settings['max.message.bytes']}; set it to {topic.max_bytes}"
            yield Drift(topic.name, what, is_dangerous=True)
        if settings["message.timestamp.type"] != "LogAppendTime":
            what = "message.timestamp.type is CreateTime; set it to LogAppendTime"
            yield Drift(topic.name, what, is_dangerous=False)
    for name in _EXACT:
        if settings[name] != wanted[name]:
            what = f"{name} is {settings[name]}; set it to {wanted[name]}"
            yield Drift(topic.name, what, is_dangerous=name == "cleanup.policy" or topic.kind != "facts")
