"""From publishing to visible on a quiet stream: facts at a steady rate through all stages on a real Apache Kafka.

    python -m benchmarks.stream_latency [--seconds S] [--rate R] [--partitions P] [--markdown]
                                        [--bootstrap HOST:PORT]

`tallybook up` runs one process of each stage, the tables embedded. A plain Kafka producer publishes purchases as Avro
single-object messages, and every fifth fact is a check-in of the probe. A fact's time begins just before it is handed
to the producer. It is in the journal, and in the ledger, when a reader of committed records is given it; it is visible
in ClickHouse when a client that asks the view `ledger` over HTTP for the probe's rows, again and again, is shown it.
The first seconds are not counted. Times are those of the wall clock: on a machine with other work an upper bound. Ends
with 1 if a fact did not arrive.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any, Final

import clickhouse_connect
from confluent_kafka import Producer

from benchmarks.kafka.deployments import Deployment, deployed, running, tallybook
from benchmarks.kafka.measure import tree_seconds
from benchmarks.kafka.peers import broker_for
from benchmarks.kafka.purchases import FLUSH_SECONDS, WARNINGS
from benchmarks.report import table, versions, write_block
from books.kafka.cluster import Cluster
from books.kafka.messages import batch_of, page_of
from books.kafka.records import Place, Record
from schemas.avro.codecs import encode_record
from schemas.avro.single_object import frame
from schemas.facts import CheckedIn, PurchaseLine, PurchaseRecorded
from schemas.posting import FIRST_EDITION
from schemas.topics import Topics
from tallybook.demo.year import MENU, STORES

MEMBERS: Final = 5_000
PROBE: Final = "the-probe"
PROBE_EVERY: Final = 5
WARM_SECONDS: Final = 5
ASK_SECONDS: Final = 0.05  # between two questions of the HTTP client
POLL_SECONDS: Final = 0.2
POLL_RECORDS: Final = 500
START_SECONDS: Final = 120.0
ARRIVE_SECONDS: Final = 60.0
HEADS: Final = ("from publishing to", "facts", "p50 ms", "p99 ms", "longest ms", "to reach")
SEEN: Final = "SELECT seq, event_id FROM ledger WHERE member_id = {member:String} AND seq > {seq:UInt64} ORDER BY seq"
# Milliseconds at the median and at the 99th of 100.
TO_REACH: Final = {"ledger": (150, 500), "ClickHouse": (2_000, 4_000)}

Times = dict[str, float]  # of an event, on this process's steady clock


class Watched:
    """When each event was published, and when it was seen in each place."""

    def __init__(self) -> None:
        self.published: Times = {}
        self.seen: dict[str, Times] = {"journal": {}, "ledger": {}, "ClickHouse": {}}
        self.is_over = threading.Event()

    def missing(self) -> dict[str, int]:
        """How many of those published were not seen, by place; the tables show the probe's alone."""
        probes = sum(event_id.startswith("probe") for event_id in self.published)
        due = {"journal": len(self.published), "ledger": len(self.published), "ClickHouse": probes}
        return {place: due[place] - len(seen) for place, seen in self.seen.items() if len(seen) < due[place]}

    def watch_books(self, cluster: Cluster, topics: Topics, places: Mapping[Place, int]) -> None:
        """Read what is committed to journal and ledger until it is over."""
        reader = cluster.reader()
        try:
            reader.set_on(places)
            while not self.is_over.is_set():
                polled = reader.poll(POLL_RECORDS, POLL_SECONDS)
                now = time.monotonic()
                for record in polled.records:
                    place = "journal" if record.topic == topics.journal else "ledger"
                    for event_id in _events(record, is_page=place == "journal"):
                        self.seen[place].setdefault(event_id, now)
        finally:
            reader.close()

    def watch_tables(self, address: Mapping[str, Any]) -> None:
        """Ask for the probe's ledger until it is over."""
        client = clickhouse_connect.get_client(
            host=address["host"], port=address["port"], username=address["user"], password=address["token"],
            database="tallybook",
        )  # fmt: skip
        last = 0
        try:
            while not self.is_over.is_set():
                rows = client.query(SEEN, parameters={"member": PROBE, "seq": last}).result_rows
                now = time.monotonic()
                for seq, event_id in rows:
                    self.seen["ClickHouse"].setdefault(event_id, now)
                    last = max(last, seq)
                time.sleep(ASK_SECONDS)
        finally:
            client.close()


def _events(record: Record, *, is_page: bool) -> list[str]:
    if is_page:
        facts = [line.fact for line in page_of(record).lines]
        return [fact.event_id for fact in facts if isinstance(fact, PurchaseRecorded | CheckedIn)]
    batch = batch_of(record)
    return [] if batch is None else [posting.event_id for posting in batch.postings]


def publish(deployment: Deployment, watched: Watched, rate: int, seconds: int) -> None:
    """Publish at a steady rate, each fact at its time.

    Raises:
        TimeoutError: the brokers did not take all.
    """
    producer = Producer({"bootstrap.servers": deployment.bootstrap, "log_level": WARNINGS})
    random, started = Random(7), time.monotonic()
    for number in range(rate * seconds):
        time.sleep(max(0.0, started + number / rate - time.monotonic()))
        fact = _fact(random, number)
        topic = f"{deployment.name}.facts.{'check-ins' if isinstance(fact, CheckedIn) else 'purchases'}"
        value = frame(type(fact).__name__, encode_record(fact))
        watched.published[fact.event_id] = time.monotonic()
        producer.produce(topic, key=(fact.member_id or "").encode(), value=value)
        producer.poll(0)
    if producer.flush(FLUSH_SECONDS):
        raise TimeoutError(f"the brokers at {deployment.bootstrap} did not take all facts in {FLUSH_SECONDS:g} s")


def _fact(random: Random, number: int) -> PurchaseRecorded | CheckedIn:
    now = time.time_ns() // 1_000_000
    if number % PROBE_EVERY == 0:
        return CheckedIn("app", f"probe-{number}", now, PROBE, STORES[0], "app")
    sku, category, brand, price, _ = random.choice(MENU)
    return PurchaseRecorded(
        source="pos",
        event_id=f"pos-{number}",
        occurred_at=now,
        order_id=f"order-{number}",
        currency="EUR",
        lines=(PurchaseLine(sku, price, category=category, brand=brand),),
        member_id=f"m{random.randrange(MEMBERS):06d}",
        channel="store",
        store_id=random.choice(STORES),
        tender="card",
    )


def measure(deployment: Deployment, partitions: int, rate: int, seconds: int) -> tuple[Watched, list[tuple[str, str]]]:
    """Run all stages, publish, watch; what was seen, and what else there is to say.

    Raises:
        RuntimeError: the stages did not start.
    """
    watched = Watched()
    cluster, topics = Cluster(deployment.bootstrap), Topics(deployment.name)
    books = [
        Place(topic, number) for topic in (topics.journal, topics.ledger(FIRST_EDITION)) for number in range(partitions)
    ]
    with running(deployment, "up") as (process, log):
        _await_start(log)
        address = json.loads(tallybook(deployment.root, "address", "--json"))
        threads = [
            threading.Thread(target=watched.watch_books, args=(cluster, topics, cluster.ends(books)), daemon=True),
            threading.Thread(target=watched.watch_tables, args=(address,), daemon=True),
        ]
        for thread in threads:
            thread.start()
        before, started = tree_seconds(process.pid), time.monotonic()
        publish(deployment, watched, rate, WARM_SECONDS + seconds)
        ends_at = time.monotonic() + ARRIVE_SECONDS
        while watched.missing() and time.monotonic() < ends_at:
            time.sleep(POLL_SECONDS)
        after, took = tree_seconds(process.pid), time.monotonic() - started
        watched.is_over.set()
        for thread in threads:
            thread.join(ARRIVE_SECONDS)
    notes = []
    if before is not None and after is not None:
        notes = [("CPU of all stages", f"{after - before:.1f} s ({(after - before) / took:.0%} of a core)")]
    return watched, notes


def _await_start(log: Path) -> None:
    ends_at = time.monotonic() + START_SECONDS
    while True:
        said = log.read_text(encoding="utf-8", errors="replace")
        if "tables served" in said and "scoring partitions" in said:
            return
        if time.monotonic() > ends_at:
            raise RuntimeError(f"the stages did not start within {START_SECONDS:g} s:\n{said}")
        time.sleep(POLL_SECONDS)


def result_lines(watched: Watched, rate: int, notes: list[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """The table, and what is wrong."""
    first = min(watched.published.values()) + WARM_SECONDS
    rows = []
    for place, seen in watched.seen.items():
        published = {event_id: at for event_id, at in watched.published.items() if at >= first and event_id in seen}
        waits = sorted((seen[event_id] - at) * 1000 for event_id, at in published.items())
        p50, p99 = (waits[min(len(waits) - 1, len(waits) * share // 100)] for share in (50, 99))
        bounds = TO_REACH.get(place)
        verdict = ""
        if bounds is not None:
            verdict = f"{bounds[0]:,} / {bounds[1]:,}"
            verdict += " reached" if p50 <= bounds[0] and p99 <= bounds[1] else " not reached"
        rows.append((place, f"{len(waits):,}", f"{p50:,.0f}", f"{p99:,.0f}", f"{waits[-1]:,.0f}", verdict))
    wrong = [f"{count:,} facts were not seen in {place}" for place, count in watched.missing().items()]
    told = [f"{name}: {what}" for name, what in notes]
    return [*table(HEADS, rows), "", "; ".join([f"{rate} facts a second", *told, versions()]), *wrong], wrong


def main() -> int:
    """Measure as the command line says; 1 if a fact did not arrive."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=int, default=60, help="for how long, beside the first few")
    options.add_argument("--rate", type=int, default=50, help="facts per second")
    options.add_argument("--partitions", type=int, default=8, help="of every topic")
    options.add_argument("--bootstrap", help="HOST:PORT of a broker; without it a local one is started")
    options.add_argument("--markdown", action="store_true", help="write the table into docs/benchmarks.md")
    asked = options.parse_args()
    with (
        broker_for(asked.bootstrap, None) as broker,
        tempfile.TemporaryDirectory(prefix="tallybook-latency-") as scratch,
        deployed(
            broker.bootstrap, Path(scratch) / "stream", Path(scratch).name.replace("_", "-"), asked.partitions
        ) as deployment,
    ):
        watched, notes = measure(deployment, asked.partitions, asked.rate, asked.seconds)
    lines, wrong = result_lines(watched, asked.rate, notes)
    print("\n".join(lines))
    if asked.markdown and not wrong:
        write_block("stream-latency", lines)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
