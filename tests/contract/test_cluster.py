"""What the stages rest on, asked of a real Kafka and of the one in memory: whole transactions, fencing, groups."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, cast

import pytest

from books.errors import BooksError
from books.kafka.cluster import Cluster
from books.kafka.consumer import GroupConsumer, Reader
from books.kafka.errors import Fenced, KafkaRefused, TransactionAborted
from books.kafka.peek import first_records
from books.kafka.producer import TransactionalProducer
from books.kafka.records import GroupOffset, Place, Record
from tests.contract.kafka_home import OPEN_SECONDS
from tests.fakes.kafka import FakeCluster
from tests.support.waiting import wait_for, wait_until_settled

POLL_SECONDS: Final = 0.5
PARTITIONS: Final = 2
AT: Final = 1_700_000_000_000


class Kafka:
    """A cluster with one topic of its own, and the name that all else begins with."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name
        self.topic = f"{name}.topic"
        cluster.create_topic(self.topic, PARTITIONS, 1, {})
        until(lambda: cluster.partitions([self.topic]) == {self.topic: PARTITIONS})

    def place(self, partition: int = 0) -> Place:
        return Place(self.topic, partition)

    def producer(self, name: str) -> TransactionalProducer:
        """One whose transactions no busy machine makes time out; to be opened."""
        return self.cluster.producer(f"{self.name}-{name}", timeout_seconds=OPEN_SECONDS)

    def settle(self) -> None:
        """Wait until readers see what was committed; no transaction may be open."""
        wait_until_settled(self.cluster, map(self.place, range(PARTITIONS)))

    def values(self, partition: int = 0, start: int = 0) -> list[bytes | None]:
        """What a reader sees now, from an offset on."""
        place = self.place(partition)
        reader = self.cluster.reader()
        try:
            reader.set_on({place: start})
            return [record.value for record in all_of(reader, place)]
        finally:
            reader.close()


def until(holds: Callable[[], bool]) -> None:
    wait_for("what the test waits for", holds)


def all_of(reader: Reader, place: Place) -> list[Record]:
    """The records up to the present end of a place."""
    found: list[Record] = []

    def is_at_end() -> bool:
        polled = reader.poll(100, POLL_SECONDS)
        found.extend(polled.records)
        return place in polled.at_end

    until(is_at_end)
    return found


@pytest.fixture(params=["memory", "kafka"])
def kafka(request: pytest.FixtureRequest) -> Iterator[Kafka]:
    if request.param == "memory":
        yield Kafka(cast(Cluster, FakeCluster(lambda: AT)), "contract")
    else:
        bootstrap: str = request.getfixturevalue("bootstrap")
        deployment: Callable[[], str] = request.getfixturevalue("new_deployment")
        yield Kafka(Cluster(bootstrap), deployment())


def test_a_transaction_is_seen_whole_or_never(kafka: Kafka) -> None:
    producer = kafka.producer("one")
    producer.open()
    producer.begin()
    producer.send(kafka.topic, b"a", partition=0)
    producer.send(kafka.topic, b"b", partition=1)
    assert kafka.values(0) == kafka.values(1) == []
    producer.commit()
    kafka.settle()
    assert (kafka.values(0), kafka.values(1)) == ([b"a"], [b"b"])
    producer.begin()
    producer.send(kafka.topic, b"never", partition=0)
    producer.abort()
    producer.begin()
    producer.send(kafka.topic, b"c", partition=0)
    producer.commit()
    kafka.settle()
    assert kafka.values(0) == [b"a", b"c"]
    producer.close()


def test_nothing_behind_an_open_transaction_is_seen(kafka: Kafka) -> None:
    first, second = (kafka.producer(name) for name in ("slow", "quick"))
    first.open()
    second.open()
    first.begin()
    first.send(kafka.topic, b"slow", partition=0)
    until(lambda: kafka.cluster.ends([kafka.place()], committed=False)[kafka.place()] >= 1)
    second.begin()
    second.send(kafka.topic, b"quick", partition=0)
    second.commit()
    assert kafka.values() == []
    assert kafka.cluster.ends([kafka.place()]) == {kafka.place(): 0}
    assert first_records(kafka.cluster, {kafka.place(): 0}) == {}
    assert first_records(kafka.cluster, {kafka.place(): 0}, committed=False)[kafka.place()].value == b"slow"
    first.commit()
    kafka.settle()
    assert first_records(kafka.cluster, {kafka.place(): 1})[kafka.place()].value == b"quick"
    assert kafka.values() == [b"slow", b"quick"]
    end = kafka.cluster.ends([kafka.place()])[kafka.place()]
    assert end > 2  # the ends of transactions take offsets, too
    for producer in (first, second):
        producer.close()


def test_who_opens_an_id_fences_all_others_and_undoes_what_they_left_open(kafka: Kafka) -> None:
    old = kafka.producer("mine")
    old.open()
    old.begin()
    old.send(kafka.topic, b"half", partition=0)
    new = kafka.producer("mine")
    new.open()
    with pytest.raises(Fenced):
        commit(old.send, old.commit, kafka.topic)
    assert kafka.values() == []
    new.begin()
    new.send(kafka.topic, b"whole", partition=0)
    new.commit()
    kafka.settle()
    assert kafka.values() == [b"whole"]
    old.close()
    new.close()


def commit(send: Callable[..., None], whole: Callable[[], None], topic: str) -> None:
    send(topic, b"more", partition=0)
    whole()


def test_offsets_are_kept_in_the_transaction_of_what_they_became(kafka: Kafka) -> None:
    group, place = f"{kafka.name}-words", kafka.place()
    producer = kafka.producer("one")
    producer.open()
    assert kafka.cluster.group_offsets(group, [place]) == {}
    for number, is_kept in ((1, False), (2, True), (3, False)):
        producer.begin()
        producer.send(kafka.topic, b"x", partition=0)
        offsets = {place: GroupOffset(number, f"word {number}")}
        if is_kept:
            producer.commit(offsets, kafka.cluster.group_named(group))
        else:
            producer.abort()
    assert kafka.cluster.group_offsets(group, [place]) == {place: GroupOffset(2, "word 2")}
    producer.close()


def joined(kafka: Kafka, group: str, instance: str) -> tuple[GroupConsumer, set[Place], list[str]]:
    """A member, the places that it has (kept up to date), and what it was told."""
    member = kafka.cluster.group_consumer(group, instance)
    has: set[Place] = set()
    told: list[str] = []

    def assigned(places: set[Place]) -> Mapping[Place, int] | None:
        has.update(places)
        told.append("assigned")
        return None

    def revoked(places: set[Place]) -> None:
        has.difference_update(places)
        told.append("revoked")

    member.subscribe([kafka.topic], assigned, revoked)
    return member, has, told


def poll_all(*members: GroupConsumer) -> bool:
    """Let all of them hear what is new; True, so that it can stand in a condition."""
    for member in members:
        member.poll(1, 0.1)
    return True


def test_members_share_the_partitions_and_hear_of_it(kafka: Kafka) -> None:
    group = f"{kafka.name}-group"
    one, has_one, told_one = joined(kafka, group, "one")
    until(lambda: poll_all(one) and len(has_one) == PARTITIONS)
    two, has_two, _ = joined(kafka, group, "two")
    until(lambda: poll_all(one, two) and len(has_one) == len(has_two) == 1)
    assert not has_one & has_two
    assert "revoked" in told_one
    one.close()
    two.close()


def test_offsets_of_a_member_that_was_replaced_are_not_taken(kafka: Kafka) -> None:
    group, place = f"{kafka.name}-group", kafka.place()
    one, has_one, _ = joined(kafka, group, "one")
    until(lambda: poll_all(one) and len(has_one) == PARTITIONS)
    then = one.metadata()
    two, has_two, _ = joined(kafka, group, "two")
    until(lambda: poll_all(one, two) and len(has_one) == len(has_two) == 1)
    producer = kafka.producer("late")
    producer.open()
    producer.begin()
    producer.send(kafka.topic, b"late", partition=0)
    with pytest.raises((TransactionAborted, Fenced, KafkaRefused)) as told:
        producer.commit({place: 7}, then)
    assert isinstance(told.value, BooksError)
    producer.close()
    undone = kafka.producer("late")
    undone.open()
    assert kafka.values() == []
    assert kafka.cluster.group_offsets(group, [place]) == {}
    undone.close()
    one.close()
    two.close()


def test_where_a_place_ends_is_told_with_the_end(kafka: Kafka) -> None:
    producer = kafka.producer("one")
    producer.open()
    for _ in range(3):
        producer.begin()
        producer.send(kafka.topic, b"x", partition=0)
        producer.commit()
    producer.close()
    end = 6  # three records, and a marker behind each
    until(lambda: kafka.cluster.ends([kafka.place()]) == {kafka.place(): end})
    reader = kafka.cluster.reader()
    reader.set_on({kafka.place(): 0})
    told: list[int] = []

    def reached() -> bool:
        told.extend(reader.poll(100, POLL_SECONDS).at_end.values())
        return end in told

    until(reached)
    reader.close()
    assert told == sorted(told)


def test_a_place_is_read_from_where_one_asks(kafka: Kafka) -> None:
    producer = kafka.producer("one")
    producer.open()
    for value in (b"a", b"b", b"c"):
        producer.begin()
        producer.send(kafka.topic, value, partition=1, headers={"n": b"1"})
        producer.commit()
    kafka.settle()
    reader = kafka.cluster.reader()
    reader.set_on({kafka.place(1): 0})
    records = all_of(reader, kafka.place(1))
    reader.close()
    assert [record.value for record in records] == [b"a", b"b", b"c"]
    assert [record.headers for record in records] == [{"n": "1"}] * 3
    assert kafka.values(1, records[1].offset) == [b"b", b"c"]
    assert kafka.values(1, records[1].offset + 1) == [b"c"]
    producer.close()
