"""One simulated deployment from one seed: facts come, processes die and come back, and in the end all must be well."""

import traceback
from collections import Counter
from pathlib import Path
from random import Random
from typing import Final, cast

import msgspec

from books.errors import BooksError
from books.kafka.cluster import Cluster
from books.kafka.create import TICKER, create_topics, open_stream
from books.kafka.messages import page_message
from books.kafka.records import Place
from books.kafka.tick_state import GROUP, TickState, kept_with
from books.snapshots.store import SnapshotStore
from projections.stream import projection as projecting
from schemas.bounds import DAY_MS
from schemas.facts import JournalOpened, PublishedFact
from schemas.pages import JournalLine
from schemas.topics import Topics
from tests.fakes.disk import FakeDisk
from tests.fakes.kafka import FakeCluster, FakeProducer
from tests.run.seeds import Seeded
from tests.stream_simulation.laws import Message, audit
from tests.stream_simulation.processes import DyingStore, Process, members_of_process, new_process
from tests.support.deciders import published
from tests.support.small_imports import RULES, START, random_facts

PARTITIONS: Final = 3
FACT_PARTITIONS: Final = 2
DAYS: Final = 4
STAGES: Final = (("intake", 2), ("scoring", 2), ("ticker", 2), ("projection", 2))
MAX_EFFECTS_TO_DEATH: Final = 9
MAX_DRAIN_ROUNDS: Final = 400
# How often somebody else acts before an effect; before the fencing of others more often, for there zombies do harm.
BETWEEN: Final = 0.03
BETWEEN_OPENING: Final = 0.3
SECOND_MS: Final = 1_000


class Died(BaseException):
    """A process is gone; nothing it holds is closed."""


class Told(msgspec.Struct):
    """What happened in a run."""

    messages: int = 0
    kills: int = 0
    zombies: int = 0
    zombies_stopped: int = 0
    restarts: int = 0
    ticks: int = 0


class Deployment:
    """The world of one run."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.clock = START
        self.told = Told()
        self.said: list[str] = []
        self.topics = Topics("sim")
        self.cluster = FakeCluster(self.now, self._effect)
        self.store = DyingStore(self.cluster)
        self.snapshots = SnapshotStore(Path("/snapshots"), files=FakeDisk())
        self.opened = JournalOpened("sim", 1, PARTITIONS, 0, 90 * DAY_MS, 30 * DAY_MS, START)
        self.messages: list[Message] = []
        self._death_after = 0
        self._is_between = True  # until the deployment is open
        self._stepping = ""
        self._running: dict[str, Process] = {}
        self._zombies: list[tuple[str, Process]] = []
        self._publishing: dict[str, tuple[FakeProducer, Message]] = {}
        self._transactions = 0
        self._open()
        self._is_between = False

    def now(self) -> int:
        return self.clock

    # -- the run

    def run(self) -> Told:
        """All facts, with blows; then quiet; then the laws. Raises LawBroken."""
        for fact in random_facts(self.rng.randrange(1 << 30), days=DAYS):
            self.clock = max(self.clock, fact.occurred_at)
            self._publish(fact)
            for _ in range(self.rng.randrange(6)):
                self._some_step()
        self._drain()
        self.told.messages = len(self.messages)
        self.told.ticks = audit(cast(Cluster, self.cluster), self.topics, self.messages, self.store)
        return self.told

    def _open(self) -> None:
        cluster = cast(Cluster, self.cluster)
        create_topics(cluster, self.topics.table(PARTITIONS, FACT_PARTITIONS))
        open_stream(cluster, self.topics, self.opened)
        producer = cluster.producer(self.topics.transactional_id(TICKER))
        producer.open()
        producer.begin()
        rules = published(RULES, "Europe/Berlin", version="1", effective_from=0)
        for partition in range(PARTITIONS):
            producer.send(self.topics.journal, page_message((JournalLine(rules, START),)), partition=partition)
        state = TickState(0, is_published=True)
        producer.commit(kept_with(state, self.topics), cluster.group_named(self.topics.group(GROUP)))
        for stage, count in STAGES:
            for number in range(count):
                self._begin(f"{stage}-{number}")

    def _publish(self, fact: PublishedFact) -> None:
        topic = {kind: topic for topic, kind in self.topics.facts.items()}[type(fact).__name__]
        values: list[bytes | None] = [msgspec.json.encode(fact)]
        if self.rng.random() < 0.15:
            values *= 2  # the publisher was in doubt
        if self.rng.random() < 0.08:
            values.append(self.rng.choice((None, b"", b"{", b"\x00\x00\x00\x00\x09x", b'{"type":"CheckedIn"}')))
        for value in values:
            place = Place(topic, self.rng.randrange(FACT_PARTITIONS))
            message = Message(place, len(self.cluster.logs[place]), value, fact if value == values[0] else None)
            if self.rng.random() < 0.1:
                self._publish_in_transaction(message)
            else:
                self.cluster.publish(*place, value)
                self.messages.append(message)

    def _publish_in_transaction(self, message: Message) -> None:
        """One publisher takes its time: what others publish behind it is hidden until its transaction ends."""
        self._transactions += 1
        producer = self.cluster.producer(f"publisher-{self._transactions}")
        before, self._is_between = self._is_between, True
        producer.open()
        producer.begin()
        producer.send(message.place.topic, message.value, partition=message.place.partition)
        self._is_between = before
        self._publishing[f"publisher-{self._transactions}"] = producer, message

    def _some_step(self) -> None:
        self.clock += self.rng.choice((7, 400, SECOND_MS, 5 * SECOND_MS))
        chance = self.rng.random()
        if chance < 0.03 and self._running:
            self._suspend(self.rng.choice(sorted(self._running)))
        elif chance < 0.10 and self._zombies:
            self._wake()
        elif chance < 0.14:
            self._end_some_transaction()
        else:
            self._step(self.rng.choice(sorted(self._running)), may_die=self.rng.random() < 0.12)

    def _drain(self) -> None:
        """Everybody who lives works on until nothing moves; zombies wake up first, for the last time."""
        self._is_between = True
        while self._zombies:
            self._wake()
        for transactional_id in list(self.cluster.open_transactions):
            self.cluster.time_out(transactional_id)
        quiet = 0
        for _ in range(MAX_DRAIN_ROUNDS):
            before = {place: len(log) for place, log in self.cluster.logs.items()}
            self.clock += SECOND_MS
            for name in sorted(self._running):
                self._step(name, may_die=False)
            projecting_due = any(len(log) != before[place] for place, log in self.cluster.logs.items())
            quiet = 0 if projecting_due else quiet + 1
            if quiet > 12:
                return
        raise AssertionError("the deployment does not come to rest")

    # -- processes

    def _begin(self, name: str) -> None:
        process = new_process(self, name.partition("-")[0], name)
        before, self._stepping = self._stepping, name
        self._running[name] = process
        try:
            process.open()
        except BooksError as error:
            self.said.append(f"{name}: {error}")
            del self._running[name]
        finally:
            self._stepping = before

    def _go_between(self) -> None:
        """Between two effects of one process another one does something, perhaps one that should not."""
        death_after, self._death_after, self._is_between = self._death_after, 0, True
        try:
            others = sorted(self._running.keys() - {self._stepping})
            if self._zombies and self.rng.random() < 0.5:
                self._wake()
            elif others:
                before = self._stepping
                self._step(self.rng.choice(others), may_die=False)
                self._stepping = before
        finally:
            self._death_after, self._is_between = death_after, False

    def _step(self, name: str, *, may_die: bool) -> None:
        process = self._running.get(name)
        if process is None:
            return
        self._stepping = name
        self._death_after = self.rng.randrange(1, MAX_EFFECTS_TO_DEATH) if may_die else 0
        try:
            process.step()
        except Died:
            self.told.kills += 1
            self._lose(process)
            self._restart(name)
        except BooksError as error:
            self.said.append(f"{name}: {error}")
            self._death_after = 0
            process.close()
            self._restart(name)
        finally:
            self._death_after = 0

    def _restart(self, name: str) -> None:
        self._death_after = 0
        self.told.restarts += 1
        self._running.pop(name, None)
        self._begin(name)

    def _lose(self, process: Process) -> None:
        """The broker notices a dead or silent process."""
        for member in members_of_process(process):
            self.cluster.kick(member)

    def _suspend(self, name: str) -> None:
        """A process stands still for so long that others take over; it does not know."""
        process = self._running.pop(name)
        self._lose(process)
        self.told.zombies += 1
        self._zombies.append((name, process))
        self._begin(name)

    def _wake(self) -> None:
        """A zombie goes on as if nothing had been, until it finds out."""
        name, process = self._zombies.pop(self.rng.randrange(len(self._zombies)))
        for member in members_of_process(process):
            member.fetched_polls = self.rng.randrange(2)
        try:
            for _ in range(self.rng.randrange(1, 4)):
                process.step()
        except BooksError as error:
            self.told.zombies_stopped += 1
            self.said.append(f"zombie {name}: {error}")
        self._lose(process)

    def _end_some_transaction(self) -> None:
        waiting = sorted(self.cluster.open_transactions)
        if not waiting:
            return
        chosen = self.rng.choice(waiting)
        producer, message = self._publishing.pop(chosen, (None, None))
        if producer is None or message is None or self.rng.random() < 0.5:
            self.cluster.time_out(chosen)
            return
        before, self._is_between = self._is_between, True
        producer.commit()
        self._is_between = before
        self.messages.append(message)

    def _effect(self, effect: str) -> None:
        if not self._is_between and self.rng.random() < (BETWEEN_OPENING if effect == "open" else BETWEEN):
            self._go_between()
        if self._death_after:
            self._death_after -= 1
            if not self._death_after:
                raise Died


def run_seed(seed: int) -> Told:
    """One run. Raises LawBroken where a law does not hold."""
    before = projecting.GAP_SECONDS
    projecting.GAP_SECONDS = 0.0  # type: ignore[misc] # time stands still here: a projection is always due
    try:
        return Deployment(seed).run()
    finally:
        projecting.GAP_SECONDS = before  # type: ignore[misc] # as it was found


def holds(seed: int, seen: Counter[str]) -> bool:
    """Whether all laws held in the deployment of a seed."""
    try:
        told = run_seed(seed)
    except Exception:  # noqa: BLE001 whatever a seed raises breaks a law; its story shows it
        return False
    seen.update({name.replace("_", " "): value for name, value in msgspec.structs.asdict(told).items()})
    return True


def story(seed: int) -> str:
    """What happened in the deployment of a seed, or how it broke a law."""
    try:
        return f"seed {seed}: {run_seed(seed)}"
    except Exception:  # noqa: BLE001 as above
        return f"seed {seed}:\n{traceback.format_exc()}"


SEEDED = Seeded(holds, story, [name.replace("_", " ") for name in Told.__struct_fields__], enough=200)
