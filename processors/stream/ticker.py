"""Writes ticks into a stream's journal: every full hour, to all partitions at once, but not ahead of facts that wait.

The process that is assigned partition 0 of the journal in the ticker's group is the ticker; its transactions fence all
others. An outage of ours must not expire points early, so a tick waits for the oldest fact that is not yet taken in.
"""

import time
from collections.abc import Mapping
from typing import Final

from books.kafka.cluster import Cluster
from books.kafka.create import TICKER
from books.kafka.errors import Fenced, TransactionAborted
from books.kafka.messages import page_message
from books.kafka.peek import first_records
from books.kafka.producer import TransactionalProducer
from books.kafka.records import Place
from books.kafka.tick_state import GROUP, TickState, kept_with, last_tick_state, read_tick_state
from processors.stream.intake import STAGE as INTAKE
from processors.stream.intake import Now, Say
from processors.stream.stage_counts import StageCounts
from schemas.facts import ClockTicked
from schemas.instants import format_instant
from schemas.pages import JournalLine
from schemas.topics import Topics

HOUR_MS: Final = 3_600_000
# Ticks are this far behind the clock at most: a fact that has waited longer may never be taken in.
MAX_HELD_BACK_MS: Final = 6 * HOUR_MS
LOOK_EVERY_MS: Final = 1_000
POLL_SECONDS: Final = 0.2


class Ticker:
    """One ticker process; `instance` is its static name in the group. It does nothing between two calls of `step`."""

    def __init__(
        self,
        cluster: Cluster,
        topics: Topics,
        partitions: int,
        *,
        instance: str,
        now: Now,
        say: Say,
        counts: StageCounts | None = None,
    ) -> None:
        self.counts = counts or StageCounts()
        self._cluster = cluster
        self._topics = topics
        self._partitions = partitions
        self._now = now
        self._say = say
        self._member = cluster.group_consumer(topics.group(TICKER), f"{topics.group(TICKER)}-{instance}")
        self._state_group = cluster.group_named(topics.group(GROUP))
        self._producer: TransactionalProducer | None = None
        self._state = TickState()
        self.is_owner = False
        self._unpaused: set[Place] = set()
        self._looked_at = 0
        self._alerted_for = 0

    def open(self) -> None:
        """Join the group. Raises KafkaUnreachable."""
        self._member.subscribe([self._topics.journal], self._assigned, self._revoked)

    def step(self) -> bool:
        """Stay in the group, and write a tick if one is due; whether one was written.

        Raises:
            KafkaUnreachable, KafkaRefused: start anew.
        """
        self._member.poll(1, POLL_SECONDS)
        if self._unpaused:
            self._member.pause(self._unpaused)
            self._unpaused = set()
        now = self._now()
        if not self.is_owner or 0 <= now - self._looked_at < LOOK_EVERY_MS:
            return False
        self._looked_at = now
        try:
            return self._tick_if_due(now)
        except Fenced as error:
            # A publication took the id over, or another ticker: if the partition is still ours we come back.
            self._say(f"ticker: {error}")
        except TransactionAborted as error:
            self._say(f"ticker: {error}")
        self._let_go()
        return False

    def close(self) -> None:
        """Leave the group."""
        self._let_go()
        self._member.close()

    def due(self, now: int) -> int:
        """The tick to be written at `now` (UTC ms); 0 for none. Alerts if facts have held it back for too long."""
        hour = now // HOUR_MS * HOUR_MS
        if hour <= self._state.last_tick:
            return 0
        oldest = oldest_waiting(self._cluster, self._topics)
        self.counts.held_back_until = 0
        if oldest is None or oldest >= hour:
            return hour
        latest = now - MAX_HELD_BACK_MS
        if oldest < latest and self._alerted_for != oldest:
            self._alerted_for = oldest
            waited = (now - oldest) // HOUR_MS
            self._say(
                f"ALERT: a fact that came at {format_instant(oldest)} has not been taken in for {waited} hours, and "
                f"time goes on without it, {MAX_HELD_BACK_MS // HOUR_MS} hours behind the clock: points may expire "
                "that it could have spent or kept. Look after the intake (`tallybook status`)"
            )
        # Facts that have waited longer than this are passed over, but none that came since.
        held = max(oldest, latest) // HOUR_MS * HOUR_MS
        self.counts.held_back_until = held
        return held if held > self._state.last_tick else 0

    def _tick_if_due(self, now: int) -> bool:
        producer = self._producer
        if producer is None:
            producer = self._cluster.producer(self._topics.transactional_id(TICKER))
            producer.open()
            self._producer = producer
            # What others with this id wrote is committed or aborted by now, so this state is final.
            self._state = last_tick_state(self._cluster, self._topics)
        if not self._state.is_published and not self._look_for_rules():
            return False
        at = self.due(now)
        if not at:
            return False
        started = time.perf_counter()
        state = TickState(at, is_published=True)
        message = page_message((JournalLine(ClockTicked(at), now),))
        producer.begin()
        for partition in range(self._partitions):
            producer.send(self._topics.journal, message, partition=partition)
        producer.commit(kept_with(state, self._topics), self._state_group)
        self._state = state
        self.counts.ticks += 1
        self.counts.committed(time.perf_counter() - started)
        return True

    def _look_for_rules(self) -> bool:
        """Whether rules are published: no tick is written before the first ones, so that they hold from the start."""
        self._state = read_tick_state(self._cluster, self._topics) or self._state
        return self._state.is_published

    def _let_go(self) -> None:
        if self._producer is not None:
            self._producer.close()
            self._producer = None

    def _assigned(self, places: set[Place]) -> dict[Place, int] | None:
        self.is_owner = Place(self._topics.journal, 0) in places
        self._unpaused = set(places)  # their records are not wanted, only the place in the group
        return self._cluster.ends(places, committed=False) if places else None

    def _revoked(self, places: set[Place]) -> None:
        self._unpaused -= places
        if Place(self._topics.journal, 0) in places:
            self.is_owner = False
            self._let_go()


def intake_positions(cluster: Cluster, topics: Topics) -> dict[Place, int]:
    """Where the intake reads on: behind what it took in, or at the oldest kept fact. Raises KafkaUnreachable."""
    return positions_of(cluster, topics.group(INTAKE), cluster.begins(_fact_places(cluster, topics)))


def positions_of(cluster: Cluster, group: str, least: Mapping[Place, int]) -> dict[Place, int]:
    """Where a group reads on in these places, by what it has committed: at the least position, or behind it."""
    kept = cluster.group_offsets(group, least)
    return {place: max(at, kept[place].offset if place in kept else 0) for place, at in least.items()}


def oldest_waiting(cluster: Cluster, topics: Topics) -> int | None:
    """When the oldest fact came that the intake has not taken in, in UTC ms by its record; None where none waits.

    Raises:
        KafkaUnreachable: the brokers do not answer.
    """
    places = _fact_places(cluster, topics)
    all_ends, ends = cluster.ends(places, committed=False), cluster.ends(places)
    offsets = positions_of(cluster, topics.group(INTAKE), cluster.begins(places))
    waiting = {place: offset for place, offset in offsets.items() if offset < ends[place]}
    first = first_records(cluster, waiting)
    # Facts of other publishers may wait behind a transaction left open by one; readers do not see them yet.
    hidden = {
        place: max(offset, ends[place])
        for place, offset in offsets.items()
        if place not in first and ends[place] < all_ends[place]
    }
    first |= first_records(cluster, hidden, committed=False)
    return min((record.timestamp for record in first.values()), default=None)


def _fact_places(cluster: Cluster, topics: Topics) -> list[Place]:
    parts = cluster.partitions(topics.facts)
    return [Place(topic, partition) for topic, count in parts.items() for partition in range(count)]
