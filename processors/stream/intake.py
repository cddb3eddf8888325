"""Takes facts from the publishers' topics into the journal of a stream, each batch in one transaction.

The consumed offsets are committed in the transaction that writes the pages, under this consumer's place in the group.
So after a crash the next process goes on just after the last page that readers see.
"""

import time
from collections.abc import Callable
from typing import Final

from books.errors import BooksError
from books.kafka.cluster import Cluster
from books.kafka.errors import TopicsMissing
from books.kafka.messages import message_of
from books.kafka.records import UNREADABLE, Place, Record
from books.kafka.tick_state import TickState, last_tick_state, read_tick_state
from processors.intake.door import judge_time
from processors.intake.refusal import Refusal
from processors.intake.unknown_fields import UnknownFields
from processors.stream.arrival_order import ArrivalOrder
from processors.stream.message_door import MessageDoor, RegistryUnreachable, WriterSchemas
from processors.stream.page_messages import PageMessages
from processors.stream.rejects import is_refused_again, reject_from
from processors.stream.stage_counts import StageCounts
from schemas.facts import JournalOpened, PublishedFact
from schemas.pages import Reject
from schemas.topics import Topics

STAGE: Final = "intake"
POLL_RECORDS: Final = 2_000
BATCH_RECORDS: Final = 2_000
POLL_SECONDS: Final = 0.1
REGISTRY_PAUSE_SECONDS: Final = 1.0
LOOK_FOR_RULES_MS: Final = 1_000
# The intake's copy of the last tick is this old at most; the decider has the exact one.
TICK_AGE_MS: Final = 60_000

_UNREADABLE_HEADERS: Final = Refusal(
    "malformed",
    "a header of the message has a name that is not UTF-8 text, so that none of them can be read: name headers in "
    "ASCII, or send the event again without them (`tallybook rejects resubmit` does so)",
)

Say = Callable[[str], None]
Now = Callable[[], int]  # the clock of a stage, in UTC ms


class StreamIntake:
    """One intake process. `instance` is its static name in the group; it does nothing between two calls of `step`."""

    def __init__(
        self,
        cluster: Cluster,
        topics: Topics,
        opened: JournalOpened,
        schemas: WriterSchemas,
        *,
        instance: str,
        now: Now,
        say: Say,
        counts: StageCounts | None = None,
    ) -> None:
        self.counts = counts or StageCounts()
        self.unknown = UnknownFields()
        self._cluster = cluster
        self._topics = topics
        self._types = topics.facts
        self._opened = opened
        self._now = now
        self._say = say
        self._door = MessageDoor(schemas, self.unknown, self._judge)
        self._arrivals = ArrivalOrder()
        self._batch: list[Record] = []
        self._received_at = 0
        self._last_tick = 0
        self._tick_read_at = 0
        self._paused: set[Place] = set()
        self._registry_since: int | None = None
        self._has_rules = False
        self._rules_looked_at: int | None = None
        self._membership: object = None
        self._producer = cluster.producer(topics.transactional_id(STAGE, instance))
        self._member = cluster.group_consumer(topics.group(STAGE), f"{topics.group(STAGE)}-{instance}")

    def open(self) -> None:
        """Fence the process that had this name before, and join the group.

        Raises:
            TopicsMissing: a topic of facts is not there.
            BooksError: Kafka does not answer, or refuses.
        """
        there = self._cluster.partitions(self._types)
        if missing := [name for name in self._types if name not in there]:
            raise TopicsMissing(missing)
        self._producer.open()
        self._member.subscribe(list(self._types), self._assigned, self._revoked)

    def step(self) -> int:
        """Fetch, and take in one batch; how many records that were.

        Raises:
            TransactionAborted, KafkaUnreachable: nothing of the batch is in; start anew.
            Fenced: another process has this name, or these partitions.
        """
        wait = 0.0 if self._batch and self._registry_since is None else POLL_SECONDS
        polled = self._member.poll(POLL_RECORDS, wait)
        now = self._now()
        self._arrivals.add(polled, now)
        self._look_at_pace()
        if not self._may_begin(now):
            return 0
        if not self._batch:
            self._batch = self._arrivals.take(BATCH_RECORDS, now)
        if not self._batch or not self._may_ask_registry(now):
            return 0
        try:
            self._take_in(self._batch, now)
        except RegistryUnreachable as error:
            if self._registry_since is None:
                self._say(f"{error}. What came is kept waiting, nothing is lost")
            self._registry_since = now
            return 0
        if self._registry_since is not None:
            self._registry_since = None
            self._say("the schema registry answers again")
        taken, self._batch = len(self._batch), []
        return taken

    def close(self) -> None:
        """Leave the group; the next process takes in what is not committed."""
        self._producer.close()
        self._member.close()

    def _take_in(self, batch: list[Record], now: int) -> None:
        pages = PageMessages(self._opened.partitions)
        rejects: list[Reject] = []
        stand = 0  # records that were sent again, and for which the reject that was kept before stands
        self._look_at_ticks(now)
        for record in batch:
            self._received_at = min(record.timestamp or now, now)
            admitted = self._admitted(record)
            if isinstance(admitted, Refusal):
                reject = reject_from(record, admitted, self._received_at)
                if is_refused_again(reject):
                    stand += 1
                else:
                    rejects.append(reject)
            else:
                pages.add(
                    admitted,
                    self._received_at,
                    input_name=f"{record.topic}/{record.partition}",
                    record=record.offset + 1,
                    body=self._door.body,
                )
        started = time.perf_counter()
        self._producer.begin()
        try:
            for partition, message in pages.messages():
                self._producer.send(self._topics.journal, message, partition=partition)
            for reject in rejects:
                self._producer.send(self._topics.rejects, message_of(reject), partition=0)
            offsets = {record.place: record.offset + 1 for record in batch}
            self._producer.commit(offsets, self._membership)
        except BooksError:
            self._batch = []
            raise
        self.counts.committed(time.perf_counter() - started)
        self.counts.records += len(batch)
        self.counts.facts += len(batch) - len(rejects) - stand
        self.counts.refused_again += stand
        for reject in rejects:
            self.counts.rejects[reject.reason] += 1

    def _admitted(self, record: Record) -> PublishedFact | Refusal:
        if record.headers is UNREADABLE:
            return _UNREADABLE_HEADERS
        return self._door.admit(record.value, record.headers, self._types[record.topic])

    def _judge(self, fact: PublishedFact) -> Refusal | None:
        # No record is received later than our own clock says (see _take_in), so one instant serves for both.
        at, horizon_ms = self._received_at, self._opened.horizon_ms
        return judge_time(fact, received_at=at, last_tick=self._last_tick, horizon_ms=horizon_ms, now=at)

    def _look_at_ticks(self, now: int) -> None:
        if self._tick_read_at and 0 <= now - self._tick_read_at < TICK_AGE_MS:
            return
        state = read_tick_state(self._cluster, self._topics) or TickState()
        self._last_tick = max(self._last_tick, state.last_tick)
        self._tick_read_at = now

    def _may_begin(self, now: int) -> bool:
        """Whether rules are published: a fact journalled before them would never earn anything."""
        looked_at = self._rules_looked_at
        if not self._has_rules and (looked_at is None or not 0 <= now - looked_at < LOOK_FOR_RULES_MS):
            self._rules_looked_at = now
            self._has_rules = last_tick_state(self._cluster, self._topics).is_published
            if looked_at is None and not self._has_rules:
                self._say("waits for rules, and keeps what comes waiting: `tallybook rules publish FILE`")
            elif looked_at is not None and self._has_rules:
                self._say("rules are published: goes on")
        return self._has_rules

    def _may_ask_registry(self, now: int) -> bool:
        since = self._registry_since
        return since is None or not 0 <= now - since < REGISTRY_PAUSE_SECONDS * 1000

    def _look_at_pace(self) -> None:
        """Pause the partitions of which enough is held, and resume the others."""
        full = self._arrivals.full()
        if full - self._paused:
            self._member.pause(full - self._paused)
        if self._paused - full:
            self._member.resume(self._paused - full)
        self._paused = full

    def _assigned(self, places: set[Place]) -> None:
        # Asked at once: a consumer that has lost its place in the group gives empty metadata, which fences nothing.
        self._membership = self._member.metadata()
        self._arrivals.assign(places)
        self._paused = set()

    def _revoked(self, places: set[Place]) -> None:
        """Called while polling, so that no transaction is open."""
        self._arrivals.revoke(places)
        self._batch = [record for record in self._batch if record.place not in places]
        self._paused -= places
