"""A producer that was replaced is told so by a typed error at whatever step it stands, and leaves nothing behind."""

import os
from collections.abc import Callable
from contextlib import closing
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from books.kafka.errors import Fenced, KafkaRefused
from books.kafka.messages import page_message
from books.kafka.producer import TransactionalProducer
from books.kafka.records import Place, Record
from tests.contract.kafka_home import KafkaHome
from tests.support.book_samples import page
from tests.support.waiting import wait_for

SENDS = 100
ABORTS = 40
# The more there are, the longer it takes to end a transaction.
PARTITIONS = 20


def send(home: KafkaHome, producer: TransactionalProducer) -> None:
    producer.send(home.topics.journal, page_message(page(0).lines), partition=0)


def send_many(home: KafkaHome, producer: TransactionalProducer) -> None:
    for _ in range(SENDS):
        send(home, producer)
        producer.flush()


def values(home: KafkaHome, place: Place, least: int) -> list[bytes | None]:
    """What a reader sees, once it is so many."""
    found: list[Record] = []

    def have_come() -> bool:
        found.extend(reader.poll(100, 0.5).records)
        return len(found) >= least

    with closing(home.cluster.reader()) as reader:
        reader.set_on({place: 0})
        wait_for(f"{least} records are read", have_come)
    return [record.value for record in found]


@pytest.mark.parametrize("replaced_before", ["begin", "send", "flush", "commit"])
def test_whoever_was_replaced_commits_nothing(kafka_home: KafkaHome, replaced_before: str) -> None:
    first = kafka_home.producer()
    successors = []
    steps: dict[str, Callable[[], None]] = {
        "begin": first.begin,
        "send": lambda: send(kafka_home, first),
        "flush": first.flush if replaced_before == "commit" else lambda: None,
        "commit": lambda: None,
    }
    for name, step in steps.items():
        if name == replaced_before:
            successors.append(kafka_home.producer())
        step()
    with pytest.raises(Fenced, match="another process has taken over"):
        first.commit()
    first.close()
    (successor,) = successors
    successor.begin()
    send(kafka_home, successor)
    successor.commit()
    successor.close()
    kafka_home.settle()
    assert len(list(kafka_home.read().read_journal(0))) == 2


def test_whoever_was_replaced_and_goes_on_sending_is_told_by_the_sending(kafka_home: KafkaHome) -> None:
    first = kafka_home.producer()
    first.begin()
    send(kafka_home, first)
    first.flush()
    with closing(kafka_home.producer()), closing(first):
        with pytest.raises(Fenced):
            send_many(kafka_home, first)
        with pytest.raises(Fenced):
            first.commit()


def test_a_message_that_the_topic_does_not_take_undoes_its_transaction(kafka_home: KafkaHome) -> None:
    small = f"{kafka_home.topics.deployment}.small"
    kafka_home.cluster.create_topic(small, 1, 1, {"max.message.bytes": "1000"})
    with closing(kafka_home.producer()) as producer:
        producer.begin()
        send(kafka_home, producer)
        producer.send(small, os.urandom(20_000), partition=0)  # which cannot be packed smaller
        with pytest.raises(KafkaRefused, match="takes no message of this size"):
            producer.commit()
    with closing(kafka_home.producer()) as successor:  # nobody goes on with a producer that failed
        successor.begin()
        successor.send(small, b"small", partition=0)
        successor.commit()
    kafka_home.settle()
    assert len(list(kafka_home.read().read_journal(0))) == 1
    assert values(kafka_home, Place(small, 0), 1) == [b"small"]


class RefusedAbort:
    """The library's producer, as it is after the broker has refused an abort: all that it does else is done."""

    def __init__(self, producer: Any) -> None:
        self._producer = producer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)

    def abort_transaction(self, _: float) -> None:
        raise KafkaException(KafkaError(KafkaError.INVALID_TXN_STATE, "Failed to end transaction", fatal=True))


def test_an_abort_that_the_broker_refuses_undoes_what_was_sent_and_the_producer_goes_on(kafka_home: KafkaHome) -> None:
    place = Place(kafka_home.topics.journal, 0)
    (opening,) = values(kafka_home, place, 1)
    with closing(kafka_home.producer()) as producer:
        producer.begin()
        producer.send(place.topic, b"undone", partition=place.partition)
        producer.flush()
        producer._producer = cast(Producer, RefusedAbort(producer._producer))
        producer.abort()
        kafka_home.settle()
        for _ in range(2):
            producer.begin()
            producer.send(place.topic, b"kept", partition=place.partition)
            producer.commit()
    assert values(kafka_home, place, 3) == [opening, b"kept", b"kept"]


def test_an_abort_that_comes_right_after_a_commit_is_one_and_the_producer_goes_on(kafka_home: KafkaHome) -> None:
    """The broker still ends the one transaction when the other is to be undone, and may not know of that one yet."""
    wide = f"{kafka_home.topics.deployment}.wide"
    kafka_home.cluster.create_topic(wide, PARTITIONS, 1, {})
    with closing(kafka_home.producer()) as producer:
        for _ in range(ABORTS):
            producer.begin()
            for partition in range(PARTITIONS):
                producer.send(wide, b"kept", partition=partition)
            producer.commit()
            producer.begin()
            producer.send(wide, b"undone", partition=0)
            producer.abort()
    assert values(kafka_home, Place(wide, 0), ABORTS) == [b"kept"] * ABORTS
