"""A Kafka in memory: transactions seen whole or never, fencing, groups that rebalance, and death at any effect.

It keeps the promises that `tests/contract/test_cluster.py` asks of the real one. Offsets have gaps where transactions
end; readers see nothing behind the first open transaction; whoever opens a transactional id fences all others of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from books.kafka.errors import Fenced, TopicsMissing, TransactionAborted
from books.kafka.records import GroupOffset, Place, Polled, Record

OnEffect = Callable[[str], None]
MAX_MESSAGE_BYTES: Final = 8 << 20


@dataclass(eq=False)
class Transaction:
    """What one producer sends between begin and its end."""

    state: str = "open"
    places: set[Place] = field(default_factory=set)
    offsets: dict[str, dict[Place, GroupOffset]] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """One offset of a partition: a record, or (None) the marker of a transaction's end."""

    record: Record | None
    transaction: Transaction | None


@dataclass(frozen=True)
class Membership:
    """Who a member is in its group at one generation."""

    group: str
    member: int
    generation: int


class Group:
    """Members, and which places each of them has; every change begins a new generation."""

    def __init__(self) -> None:
        self.generation = 0
        self.members: dict[int, Sequence[Place]] = {}

    def assignment(self, member: int) -> set[Place]:
        """The member's share: whole partition numbers, so that partitions of a number stay together."""
        order = sorted(self.members)
        wanted = self.members[member]
        numbers = sorted({place.partition for place in wanted})
        mine = {number for at, number in enumerate(numbers) if order[at * len(order) // max(1, len(numbers))] == member}
        return {place for place in wanted if place.partition in mine}


class FakeCluster:
    """Stands for books.kafka.cluster.Cluster; `now` gives records their time, `on_effect` may end a process."""

    bootstrap = "memory"

    def __init__(self, now: Callable[[], int], on_effect: OnEffect = lambda _: None) -> None:
        self.now = now
        self.on_effect = on_effect
        self.logs: dict[Place, list[Entry]] = {}
        self.groups: dict[str, Group] = {}
        self.committed: dict[str, dict[Place, GroupOffset]] = {}
        self.epochs: dict[str, int] = {}
        self.open_transactions: dict[str, Transaction] = {}
        self._members = 0

    # -- topics and offsets

    def create_topic(self, name: str, partitions: int, replication: int, settings: Mapping[str, str]) -> bool:
        del replication, settings
        if Place(name, 0) in self.logs:
            return False
        self.logs |= {Place(name, partition): [] for partition in range(partitions)}
        return True

    def partitions(self, topics: Iterable[str]) -> dict[str, int]:
        counts: dict[str, int] = {}
        for place in self.logs:
            counts[place.topic] = counts.get(place.topic, 0) + 1
        return {name: counts[name] for name in topics if name in counts}

    def brokers(self) -> int:
        return 1

    def ends(self, places: Iterable[Place], *, committed: bool = True) -> dict[Place, int]:
        return {place: self.stable_end(place) if committed else len(self.logs[place]) for place in places}

    def begins(self, places: Iterable[Place]) -> dict[Place, int]:
        return dict.fromkeys(places, 0)

    def group_offsets(self, group: str, places: Iterable[Place]) -> dict[Place, GroupOffset]:
        known = self.committed.get(group, {})
        return {place: known[place] for place in places if place in known}

    def stable_end(self, place: Place) -> int:
        """The offset of the first record of an open transaction, else the end."""
        for offset, entry in enumerate(self.logs[place]):
            if entry.transaction is not None and entry.transaction.state == "open":
                return offset
        return len(self.logs[place])

    def seen(self, place: Place, start: int, most: int, *, committed: bool = True) -> tuple[list[Record], int, bool]:
        """Up to `most` records from an offset on, the offset after them, and whether that is the end."""
        found: list[Record] = []
        end = self.stable_end(place) if committed else len(self.logs[place])
        at = start
        while at < end and len(found) < most:
            entry = self.logs[place][at]
            is_seen = entry.transaction is None or entry.transaction.state == "committed" or not committed
            if entry.record is not None and is_seen:
                found.append(entry.record)
            at += 1
        return found, at, at >= end

    # -- who reads and writes

    def reader(self, settings: Mapping[str, object] | None = None) -> FakeReader:
        return FakeReader(self, committed=(settings or {}).get("isolation.level") != "read_uncommitted")

    def group_consumer(self, group: str, instance: str) -> FakeMember:
        del instance
        self._members += 1
        return FakeMember(self, group, self._members)

    def group_named(self, group: str) -> object:
        return Membership(group, 0, -1)

    def producer(self, transactional_id: str, *, timeout_seconds: float = 0.0) -> FakeProducer:
        del timeout_seconds  # see time_out
        return FakeProducer(self, transactional_id)

    def publish(self, topic: str, partition: int, value: bytes | None, headers: Mapping[str, str] | None = None) -> int:
        """A fact from a publisher, without a transaction."""
        return self.append(Place(topic, partition), value, headers or {}, None)

    def append(
        self, place: Place, value: bytes | None, headers: Mapping[str, str], transaction: Transaction | None
    ) -> int:
        if place not in self.logs:
            raise TopicsMissing([place.topic])
        offset = len(self.logs[place])
        self.logs[place].append(Entry(Record(*place, offset, self.now(), None, value, headers), transaction))
        return offset

    def end(self, transaction: Transaction, state: str) -> None:
        """End a transaction: a marker in each of its places, and its offsets if it is committed."""
        transaction.state = state
        for place in sorted(transaction.places):
            self.logs[place].append(Entry(None, transaction))
        if state == "committed":
            for group, offsets in transaction.offsets.items():
                self.committed.setdefault(group, {}).update(offsets)

    def time_out(self, transactional_id: str) -> None:
        """What the broker does to a transaction whose producer is gone."""
        transaction = self.open_transactions.pop(transactional_id, None)
        if transaction is not None and transaction.state == "open":
            self.epochs[transactional_id] += 1
            self.end(transaction, "aborted")

    def kick(self, member: FakeMember) -> None:
        """What the coordinator does to a member whose session is over."""
        group = self.groups.get(member.group)
        if group is not None and group.members.pop(member.number, None) is not None:
            group.generation += 1


class FakeReader:
    """Stands for books.kafka.consumer.Reader."""

    def __init__(self, cluster: FakeCluster, *, committed: bool = True) -> None:
        self.cluster = cluster
        self._committed = committed
        self.positions: dict[Place, int] = {}
        self.paused: set[Place] = set()

    def set_on(self, places: Mapping[Place, int]) -> None:
        self.positions = dict(places)

    def leave(self, places: Iterable[Place]) -> None:
        for place in places:
            del self.positions[place]

    def poll(self, most: int, wait_seconds: float) -> Polled:
        del wait_seconds
        records: list[Record] = []
        at_end: dict[Place, int] = {}
        for place in sorted(self.positions.keys() - self.paused):
            left = most - len(records)
            found, after, is_end = self.cluster.seen(place, self.positions[place], left, committed=self._committed)
            records += found
            self.positions[place] = after
            if is_end:
                at_end[place] = after
        return Polled(records, at_end)

    def close(self) -> None:
        self.positions = {}


class FakeMember(FakeReader):
    """Stands for books.kafka.consumer.GroupConsumer; it hears of a new generation when it polls.

    `fetched_polls` says how many polls it can still serve from what it fetched before: of a member that stood still for
    longer than its session, those hear of nothing.
    """

    def __init__(self, cluster: FakeCluster, group: str, number: int) -> None:
        super().__init__(cluster)
        self.group = group
        self.number = number
        self.generation = -1
        self.fetched_polls = 0
        self._topics: Sequence[str] = ()
        self._assigned: Callable[[set[Place]], Mapping[Place, int] | None] = lambda _: None
        self._revoked: Callable[[set[Place]], None] = lambda _: None

    def subscribe(
        self,
        topics: Sequence[str],
        on_assigned: Callable[[set[Place]], Mapping[Place, int] | None],
        on_revoked: Callable[[set[Place]], None],
    ) -> None:
        self._topics, self._assigned, self._revoked = topics, on_assigned, on_revoked

    def poll(self, most: int, wait_seconds: float) -> Polled:
        self.cluster.on_effect("poll")
        if self.fetched_polls:
            self.fetched_polls -= 1
            return super().poll(most, wait_seconds)
        group = self.cluster.groups.setdefault(self.group, Group())
        if self.number not in group.members:
            group.generation += 1
            group.members[self.number] = [place for place in self.cluster.logs if place.topic in self._topics]
        if self.generation != group.generation:
            self.generation = group.generation
            if self.positions:
                self._revoked(set(self.positions))
            self._take(group.assignment(self.number))
        return super().poll(most, wait_seconds)

    def _take(self, places: set[Place]) -> None:
        self.paused = set()
        offsets = self._assigned(places)
        if offsets is None:
            known = self.cluster.committed.get(self.group, {})
            offsets = {place: known[place].offset if place in known else 0 for place in places}
        self.positions = {place: offsets[place] for place in places}

    def pause(self, places: Iterable[Place]) -> None:
        self.paused |= set(places)

    def resume(self, places: Iterable[Place]) -> None:
        self.paused -= set(places)

    def note(self, offsets: Mapping[Place, int]) -> None:
        known = self.cluster.committed.setdefault(self.group, {})
        known |= {place: GroupOffset(offset, "") for place, offset in offsets.items()}

    def metadata(self) -> object:
        return Membership(self.group, self.number, self.generation)

    def close(self) -> None:
        self.cluster.kick(self)
        super().close()


class FakeProducer:
    """Stands for books.kafka.producer.TransactionalProducer."""

    def __init__(self, cluster: FakeCluster, transactional_id: str) -> None:
        self._cluster = cluster
        self._id = transactional_id
        self._epoch = -1
        self._transaction: Transaction | None = None

    def open(self) -> None:
        self._cluster.on_effect("open")
        self._cluster.time_out(self._id)
        self._epoch = self._cluster.epochs.get(self._id, 0) + 1
        self._cluster.epochs[self._id] = self._epoch

    def begin(self) -> None:
        self._must_hold()
        if self._transaction is not None:
            raise AssertionError("a transaction is begun within another")
        self._transaction = Transaction()
        self._cluster.open_transactions[self._id] = self._transaction

    def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        partition: int = -1,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        del key
        self._cluster.on_effect("send")
        self._must_hold()
        if self._transaction is None:
            raise AssertionError("sent outside of a transaction")
        place = Place(topic, partition)
        told = {name: text.decode() for name, text in (headers or {}).items()}
        self._cluster.append(place, value, told, self._transaction)
        self._transaction.places.add(place)

    def commit(self, offsets: Mapping[Place, int | GroupOffset] | None = None, group: object | None = None) -> None:
        self._cluster.on_effect("commit")
        self._must_hold()
        transaction = self._transaction
        if transaction is None:
            raise AssertionError("committed outside of a transaction")
        if offsets is not None and isinstance(group, Membership):
            if not self._is_member(group):
                self.abort()
                raise TransactionAborted("a transaction was undone: its member is none any longer")
            noted = {at: one if isinstance(one, GroupOffset) else GroupOffset(one, "") for at, one in offsets.items()}
            transaction.offsets[group.group] = noted
        self._end("committed")
        self._cluster.on_effect("committed")

    def abort(self) -> None:
        self._must_hold()
        self._end("aborted")

    def close(self) -> None:
        self._transaction = None

    def _end(self, state: str) -> None:
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            self._cluster.open_transactions.pop(self._id, None)
            self._cluster.end(transaction, state)

    def _is_member(self, who: Membership) -> bool:
        if who.generation < 0:
            return True
        group = self._cluster.groups.get(who.group)
        return group is not None and group.generation == who.generation and who.member in group.members

    def _must_hold(self) -> None:
        if self._cluster.epochs.get(self._id) != self._epoch:
            self._transaction = None
            raise Fenced("another process has taken over (memory)")
