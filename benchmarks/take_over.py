"""How long a killed worker's partitions stand still: from kill -9 to the first new posting of another worker in them.

    python -m benchmarks.take_over [--members N] [--visits N] [--partitions P] [--markdown] [--bootstrap HOST:PORT]

The books are filled first: each member comes `--visits` times. Then an intake and two workers run on a real Apache
Kafka, facts keep coming to all partitions, and one worker is killed: once with a fresh snapshot of every partition, and
once without any. Its group hears of it when its session ends; then the other worker is given the partitions, brings
their accounts back from the snapshot or from the first page on, and goes on. A partition's time ends when a reader of
committed records is given its first posting of a fact that was published after the kill.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from confluent_kafka import Producer

from benchmarks.fresh import measured_apart
from benchmarks.kafka.deployments import ROOT, Deployment, deployed, environment, running, tallybook
from benchmarks.kafka.measure import measured
from benchmarks.kafka.peers import broker_for
from benchmarks.kafka.purchases import COMPRESSION, FLUSH_SECONDS, WARNINGS
from benchmarks.regulars import member_ids
from benchmarks.report import table, versions, write_block
from books.kafka.cluster import Cluster
from books.kafka.messages import batch_of
from books.kafka.records import Place
from books.kafka.take_over import SESSION_SECONDS
from processors.stream.stage_counts import StageCounts
from schemas.avro.codecs import encode_record
from schemas.avro.single_object import frame
from schemas.bounds import DAY_MS
from schemas.facts import PurchaseLine, PurchaseRecorded
from schemas.partitions import partition_of
from schemas.posting import FIRST_EDITION
from schemas.topics import Topics
from tallybook.demo.year import MENU, STORES
from tallybook.stream.open import open_stream
from tallybook.stream.stages.start import make_scorer

DEFAULT_MEMBERS: Final = 100_000
DEFAULT_VISITS: Final = 2
DAYS_BETWEEN_VISITS: Final = 6
TRICKLE_SECONDS: Final = 0.01  # between two facts, each to another member
POLL_EVERY: Final = 10_000
POLL_SECONDS: Final = 0.2
POLL_RECORDS: Final = 500
MOST_SECONDS: Final = 300.0
FILL_SECONDS: Final = 600.0
SETTLED_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 0.05
TO_REACH_SECONDS: Final = 15.0
HEADS: Final = ("taken over", "members", "postings", "first posting s", "in all of them s", "to reach")
_SCORING: Final = re.compile(r"scoring partitions ([0-9, ]+)")


class Taken(NamedTuple):
    """Seconds from the kill to the first new posting of each of the killed worker's partitions."""

    seconds: dict[int, float]


def purchase(random: Random, member_id: str, event_id: str, at: int) -> PurchaseRecorded:
    """One purchase of one line; `at` in UTC ms."""
    sku, category, brand, price, _ = random.choice(MENU)
    return PurchaseRecorded(
        source="pos",
        event_id=event_id,
        occurred_at=at,
        order_id=f"order-{event_id}",
        currency="EUR",
        lines=(PurchaseLine(sku, price, category=category, brand=brand),),
        member_id=member_id,
        channel="store",
        store_id=random.choice(STORES),
        tender="card",
    )


class Trickle:
    """Facts that keep coming, one after the other, to members of all partitions; and when each posting was seen."""

    def __init__(self, deployment: Deployment, members: list[str], partitions: int) -> None:
        self.published: dict[str, float] = {}
        self.seen: dict[str, tuple[int, float]] = {}
        self._deployment = deployment
        self._members = members
        self._partitions = partitions
        self._is_over = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Publish and watch while the body runs."""
        cluster, topics = Cluster(self._deployment.bootstrap), Topics(self._deployment.name)
        ends = cluster.ends([Place(topics.ledger(FIRST_EDITION), number) for number in range(self._partitions)])
        threads = [
            threading.Thread(target=self._publish, daemon=True),
            threading.Thread(target=self._watch, args=(cluster, ends), daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            for thread in threads:
                thread.join()

    def first_postings(self, after: float) -> dict[int, float]:
        """By partition, when the first posting was seen of a fact that was published after an instant."""
        found: dict[int, float] = {}
        for event_id, (partition, at) in self.seen.copy().items():
            if self.published.get(event_id, 0.0) > after:
                found[partition] = min(at, found.get(partition, at))
        return found

    def _publish(self) -> None:
        producer, random, number = _producer(self._deployment.bootstrap), Random(11), 0
        run = f"{time.time_ns():x}"
        while not self._is_over.wait(TRICKLE_SECONDS):
            number += 1
            member_id = random.choice(self._members)
            fact = purchase(random, member_id, f"{run}-{number}", time.time_ns() // 1_000_000)
            self.published[fact.event_id] = time.monotonic()
            producer.produce(
                self._deployment.purchases, key=member_id.encode(), value=frame("PurchaseRecorded", encode_record(fact))
            )
            producer.poll(0)
        producer.flush(FLUSH_SECONDS)

    def _watch(self, cluster: Cluster, ends: dict[Place, int]) -> None:
        reader = cluster.reader()
        try:
            reader.set_on(ends)
            while not self._is_over.is_set():
                polled = reader.poll(POLL_RECORDS, POLL_SECONDS)
                now = time.monotonic()
                for record in polled.records:
                    batch = batch_of(record)
                    for posting in () if batch is None else batch.postings:
                        self.seen.setdefault(posting.event_id, (record.partition, now))
        finally:
            reader.close()


def _producer(bootstrap: str) -> Producer:
    return Producer({"bootstrap.servers": bootstrap, "log_level": WARNINGS, "compression.type": COMPRESSION})


def fill(deployment: Deployment, members: list[str], visits: int, partitions: int) -> int:
    """Publish each member's visits, take them in and score them; how many there were.

    Raises:
        RunFailed: a stage ended badly or was too slow.
    """
    producer, random = _producer(deployment.bootstrap), Random(7)
    started = time.time_ns() // 1_000_000 - (visits + 1) * DAYS_BETWEEN_VISITS * DAY_MS
    count = 0
    for number in range(visits):
        day_at = started + number * DAYS_BETWEEN_VISITS * DAY_MS
        for place, member_id in enumerate(members):
            at = day_at + place * DAY_MS // len(members)
            fact = purchase(random, member_id, f"{number}-{member_id}", at)
            value, partition = frame("PurchaseRecorded", encode_record(fact)), partition_of(member_id, partitions)
            producer.produce(deployment.purchases, key=member_id.encode(), value=value, partition=partition)
            count += 1
            if count % POLL_EVERY == 0:
                producer.flush(FLUSH_SECONDS)
    producer.flush(FLUSH_SECONDS)
    for stage in ("intake", "score"):
        command = [sys.executable, "-m", "benchmarks.kafka.ours_stage", stage, "--folder", str(deployment.root)]
        log = deployment.root / f"{stage}.log"
        measured([*command, "--facts", str(count)], cwd=ROOT, env=environment(), log=log, wait_seconds=FILL_SECONDS)
    return count


def keep_snapshots(root: str, partitions: int) -> int:
    """Keep a snapshot of every partition, as a worker would sooner or later; how many were kept."""
    stream, kept = open_stream(Path(root)), 0
    for partition in range(partitions):
        scorer = make_scorer(stream, partition, stream.snapshot_store(), StageCounts())
        scorer.take_over()
        kept += scorer.keep_snapshot()
        scorer.release()
    return kept


def take_over(deployment: Deployment, members: list[str], partitions: int, turn: str) -> Taken:
    """Run two workers, kill one, and wait for postings in what it had.

    Raises:
        RuntimeError: the workers did not start, or the partitions were not taken over in time.
    """
    trickle = Trickle(deployment, members, partitions)
    with ExitStack() as held:
        held.enter_context(running(deployment, "intake", "--instance", f"intake-{turn}"))
        workers = [held.enter_context(running(deployment, "score", "--instance", f"{turn}-{n}")) for n in (1, 2)]
        killed, log = workers[0]
        _await(
            lambda: _are_settled([log for _, log in workers], partitions), "the workers did not share the partitions"
        )
        held.enter_context(trickle.running())
        _await(lambda: len(trickle.first_postings(0.0)) == partitions, "not all partitions are scored")
        theirs = _held_by(log)
        killed.kill()
        killed_at = time.monotonic()
        _await(lambda: theirs <= trickle.first_postings(killed_at).keys(), "the partitions were not taken over")
        first = trickle.first_postings(killed_at)
    return Taken({number: first[number] - killed_at for number in sorted(theirs)})


def _held_by(log: Path) -> set[int]:
    found = _SCORING.findall(log.read_text(encoding="utf-8", errors="replace"))
    return {int(number) for number in found[-1].split(",")} if found else set()


def _are_settled(logs: list[Path], partitions: int) -> bool:
    """Whether the workers have shared all partitions, and nothing has changed for a while."""
    held = [_held_by(log) for log in logs]
    is_shared = all(held) and sum(map(len, held)) == partitions and len(set().union(*held)) == partitions
    return is_shared and time.time() - max(log.stat().st_mtime for log in logs) > SETTLED_SECONDS


def _await(is_so: Callable[[], bool], otherwise: str) -> None:
    ends_at = time.monotonic() + MOST_SECONDS
    while not is_so():
        if time.monotonic() > ends_at:
            raise RuntimeError(f"{otherwise} within {MOST_SECONDS:g} s")
        time.sleep(LOOK_SECONDS)


def row_of(how: str, members: int, postings: int, taken: Taken) -> list[str]:
    """A line of the table."""
    seconds = taken.seconds.values()
    verdict = "reached" if max(seconds) <= TO_REACH_SECONDS else "not reached"
    figures = [f"{members:,}", f"{postings:,}", f"{min(seconds):.1f}", f"{max(seconds):.1f}"]
    return [f"{how}, {len(seconds)} partitions", *figures, f"≤ {TO_REACH_SECONDS:g} s: {verdict}"]


def measure(deployment: Deployment, members: int, visits: int, partitions: int) -> list[list[str]]:
    """Fill the books and kill a worker twice; the lines of the table.

    Raises:
        RuntimeError: something did not start, was not taken over, or the ledger is not what the rules make of it.
    """
    ids = member_ids(members)
    postings = fill(deployment, ids, visits, partitions)
    kept = measured_apart(keep_snapshots, str(deployment.root), partitions)
    if kept != partitions:
        raise RuntimeError(f"{kept} snapshots were kept, of {partitions} partitions")
    rows = [row_of("with snapshots", members, postings, take_over(deployment, ids, partitions, "with"))]
    snapshots = deployment.root / "snapshots"
    snapshots.rename(snapshots.with_name("away"))
    rows.append(row_of("without snapshots", members, postings, take_over(deployment, ids, partitions, "without")))
    tallybook(deployment.root, "verify")
    return rows


def main() -> int:
    """Measure as the command line says."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--members", type=int, default=DEFAULT_MEMBERS)
    options.add_argument("--visits", type=int, default=DEFAULT_VISITS, help="facts of each member before the kill")
    options.add_argument("--partitions", type=int, default=8, help="of every topic; each worker has half of them")
    options.add_argument("--bootstrap", help="HOST:PORT of a broker; without it a local one is started")
    options.add_argument("--markdown", action="store_true", help="write the table into docs/benchmarks.md")
    asked = options.parse_args()
    with (
        broker_for(asked.bootstrap, None) as broker,
        tempfile.TemporaryDirectory(prefix="tallybook-take-over-") as scratch,
        deployed(
            broker.bootstrap, Path(scratch) / "stream", Path(scratch).name.replace("_", "-"), asked.partitions
        ) as deployment,
    ):
        rows = measure(deployment, asked.members, asked.visits, asked.partitions)
    session = f"A killed worker's session ends after {SESSION_SECONDS:g} s, which are in the figures. "
    session += "After both kills the whole ledger is what the rules make of the journal (`verify`)."
    lines = [*table(HEADS, rows), "", session, "", versions()]
    print("\n".join(lines))
    if asked.markdown:
        write_block("take-over", lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
