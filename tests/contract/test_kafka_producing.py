"""A producer that was replaced is told so by a typed error at whatever step it stands, and leaves nothing behind."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing

import pytest

from books.kafka.client_errors import Place
from books.kafka.errors import Fenced, KafkaRefused
from books.kafka.messages import page_message
from books.kafka.producer import TransactionalProducer
from tests.contract.kafka_home import KafkaHome
from tests.support.book_samples import page

SENDS = 100


def send(home: KafkaHome, producer: TransactionalProducer) -> None:
    producer.send(home.topics.journal, page_message(page(0).lines), partition=0)


def send_many(home: KafkaHome, producer: TransactionalProducer) -> None:
    for _ in range(SENDS):
        send(home, producer)
        producer.flush()


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
    reader = kafka_home.cluster.reader()
    reader.set_on({Place(small, 0): 0})
    with closing(reader):
        found = next(records for _ in range(100) if (records := reader.poll(10, 0.5).records))
    assert [record.value for record in found] == [b"small"]
