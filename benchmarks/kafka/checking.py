"""Compares a peer's postings with those of the same job in a plain loop, because a fast wrong answer proves nothing."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

import fastavro
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from benchmarks.kafka.job import POSTING_SCHEMA, Record, State, purchase_reader, score
from benchmarks.kafka.purchases import Purchase

BATCH: Final = 2_000
WAIT_SECONDS: Final = 10.0
MAX_SHOWN: Final = 3
MAX_BATCHES: Final = 1_000_000


class Posting(NamedTuple):
    """What is compared of a posting."""

    member_id: str
    points: int
    balance: int
    entries: tuple[tuple[str, int, int], ...]


class Postings(NamedTuple):
    """What a topic holds: the first posting of each event, and how many each has."""

    by_event: dict[str, Posting]
    times: Counter[str]


def expected_postings(of: Iterable[Purchase], schema: Path) -> dict[str, Posting]:
    """The postings of the job in a plain loop over these purchases, by event id."""
    decode = purchase_reader(schema.read_text(encoding="utf-8"))
    states: dict[str, State] = {}
    expected: dict[str, Posting] = {}
    for member_id, body in of:
        states[member_id], posting = score(states.get(member_id), decode(body))
        expected[posting["event_id"]] = _posting(posting)
    return expected


def read_postings(bootstrap: str, topic: str) -> Postings:
    """All committed postings of a topic, from its beginning to the end that it has now.

    Raises:
        KafkaException: the broker could not be read.
        TimeoutError: it gave nothing for WAIT_SECONDS although there is more.
    """
    schema: Any = fastavro.parse_schema(json.loads(POSTING_SCHEMA))
    found = Postings({}, Counter())
    settings: dict[str, Any] = {
        "bootstrap.servers": bootstrap,
        "group.id": f"{topic}-check",
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
    }
    consumer = Consumer(settings)
    try:
        unread = set(consumer.list_topics(topic, WAIT_SECONDS).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, partition, 0) for partition in unread])
        for _ in range(MAX_BATCHES):
            messages = consumer.consume(BATCH, WAIT_SECONDS)
            if not messages:
                raise TimeoutError(f"partitions {sorted(unread)} of {topic} gave nothing for {WAIT_SECONDS:g} s")
            for message in messages:
                _take(found, message, unread, schema)
            if not unread:
                return found
        raise AssertionError(f"{topic} holds more than {MAX_BATCHES} batches")
    finally:
        consumer.close()


def _take(found: Postings, message: Message, unread: set[int], schema: Any) -> None:
    """Note one posting, or that a partition is read to its end."""
    error, partition = message.error(), message.partition()
    if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001  # documented API, though underscored
        raise KafkaException(error)
    if error is not None:
        unread.discard(-1 if partition is None else partition)
        return
    posting: Any = fastavro.schemaless_reader(io.BytesIO(message.value() or b""), schema, None)
    found.times[posting["event_id"]] += 1
    found.by_event.setdefault(posting["event_id"], _posting(posting))


def _posting(posting: Record) -> Posting:
    entries = tuple((entry["rule"], entry["points"], entry["expires_on"]) for entry in posting["entries"])
    return Posting(posting["member_id"], sum(points for _, points, _ in entries), posting["balance"], entries)


def differences(expected: dict[str, Posting], written: Postings, *, once: bool) -> list[str]:
    """What is wrong with the postings of a peer, in sentences; `once` forbids that an event has two."""
    wrong = _named("events have no posting", expected.keys() - written.by_event.keys())
    wrong += _named("postings are of no event", written.by_event.keys() - expected.keys())
    both = expected.keys() & written.by_event.keys()
    wrong += _named("postings differ from the plain loop's", {e for e in both if expected[e] != written.by_event[e]})
    if once:
        wrong += _named("events have more than one posting", {e for e, times in written.times.items() if times > 1})
    return wrong


def _named(what: str, events: set[str]) -> list[str]:
    return [f"{len(events):,} {what}: {', '.join(sorted(events)[:MAX_SHOWN])} …"] if events else []
