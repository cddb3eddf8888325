"""Runs both peers on one broker over the same Avro purchases, checks their points, and prints what an event costs them.

    python -m benchmarks.kafka.peers [--facts N] [--members M] [--repeats R] [--markdown]
                                     [--bootstrap HOST:PORT [--broker-pid PID]]

Without --bootstrap it starts a local Apache Kafka of its own. The peers take turns, --repeats times, each time with
fresh topics, groups and state; the pass with the least CPU counts, as in the other benchmarks. What is measured, and
from where to where, stands in benchmarks/kafka/measure.py. Quix Streams runs twice: as it comes, and committing as
often as Tallybook is asked to; it writes the state of a member once a commit, so that many purchases a member in little
time are cheap for it. Ends with 1 if a peer's postings differ from what the job
gives in a plain loop: both must have every event, Quix Streams exactly once.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.kafka.checking import Postings, differences, expected_postings, read_postings
from benchmarks.kafka.measure import RunFailed, Spent, measured
from benchmarks.kafka.purchases import (
    DEFAULT_SEED,
    FACTS_PER_MEMBER,
    create_topics,
    delete_topics,
    members_for,
    publish,
    purchases,
)
from benchmarks.kafka.venvs import VENVS, PeerNotInstalled, peer_python, versions_in
from benchmarks.report import table, versions, write_block
from deploy.local.artifacts import ArtifactError
from deploy.local.kafka import LocalKafka
from deploy.local.server import ServerError
from schemas.avro.single_object import frame

ROOT: Final = Path(__file__).resolve().parent.parent.parent
FACT: Final = "PurchaseRecorded"
SCHEMA: Final = ROOT / "schemas" / "avro" / f"{FACT}.avsc"
DEFAULT_FACTS: Final = 100_000
DEFAULT_PARTITIONS: Final = 8
# A pass is given up after a minute and a hundred times what the slowest peer took when this was written.
START_SECONDS: Final = 60.0
SECONDS_PER_EVENT: Final = 0.1
LIBRARIES: Final = {
    "faust": ("faust-streaming", "aiokafka", "fastavro"),
    "quix": ("quixstreams", "confluent-kafka", "fastavro"),
}
BROKER_OPTIONS: Final = ("-Xmx1g",)  # with all of Java's compilers, as a broker runs in production
# Quix Streams commits every 5 s, and nobody sees a posting before. Tallybook is asked to show one within 150 ms.
QUICK_COMMIT_SECONDS: Final = 0.15
HEADS: Final = ("peer", "CPU µs per event", "events/s", "broker CPU µs per event")


class Peer(NamedTuple):
    """A row of the table: whose venv and program, with which options, and whether it promises exactly once."""

    title: str
    venv: str
    options: tuple[str, ...]
    once: bool


PEERS: Final = {
    "faust": Peer("Faust: agent, table, output topic (at least once)", "faust", (), once=False),
    "quix": Peer("Quix Streams: state, output topic (exactly once)", "quix", (), once=True),
    "quix-quick": Peer(
        f"the same, committing every {QUICK_COMMIT_SECONDS * 1000:g} ms",
        "quix",
        ("--commit-seconds", str(QUICK_COMMIT_SECONDS)),
        once=True,
    ),
}


class Broker(NamedTuple):
    """A broker and, where it runs on this machine, its process."""

    bootstrap: str
    pid: int | None


class Bench(NamedTuple):
    """The broker and the purchases on it, which every process of one benchmark reads."""

    broker: Broker
    name: str
    topic: str
    partitions: int
    facts: int
    members: int
    head_bytes: int
    scratch: Path


def run_peer(bench: Bench, peer: str, turn: int, python: Path) -> tuple[Spent, Postings]:
    """One pass of a peer with fresh topics, group and state; what it took, and what it wrote.

    Raises:
        RunFailed: the peer ended badly, was too slow, or printed no marks.
    """
    name = f"{bench.name}-{peer}-{turn}"
    create_topics(bench.broker.bootstrap, [f"{name}-postings"], bench.partitions)
    folder = bench.scratch / name
    folder.mkdir()
    options = {
        "--bootstrap": bench.broker.bootstrap,
        "--topic": bench.topic,
        "--output": f"{name}-postings",
        "--partitions": bench.partitions,
        "--app-id": name,
        "--folder": folder,
        "--schema": SCHEMA,
        "--head-bytes": bench.head_bytes,
        "--facts": bench.facts,
    }
    words = [str(word) for option in options.items() for word in option]
    spent = measured(
        [str(python), "-m", f"benchmarks.kafka.peer_{PEERS[peer].venv}", *words, *PEERS[peer].options],
        cwd=ROOT,
        log=bench.scratch / f"{name}.log",
        wait_seconds=START_SECONDS + SECONDS_PER_EVENT * bench.facts,
        broker_pid=bench.broker.pid,
    )
    return spent, read_postings(bench.broker.bootstrap, f"{name}-postings")


def best(spents: Sequence[Spent]) -> Spent:
    """The pass with the least CPU per event."""
    return min(spents, key=lambda spent: spent.cpu_seconds / spent.events)


def row_of(title: str, spent: Spent) -> list[str]:
    """A row of the table."""
    broker = spent.broker_micros
    return [
        title,
        f"{spent.cpu_micros:.1f}",
        f"{spent.per_second:,.0f}",
        "" if broker is None else f"{broker:.1f}",
    ]


@contextmanager
def prepared(broker: Broker, facts: int, members: int, partitions: int, head: bytes = b"") -> Iterator[Bench]:
    """The purchases on a topic of their own; when the body ends, the benchmark's topics are deleted."""
    with tempfile.TemporaryDirectory(prefix="tallybook-kafka-bench-") as scratch:
        name = Path(scratch).name
        topic = f"{name}-purchases"
        create_topics(broker.bootstrap, [topic], partitions)
        try:
            publish(broker.bootstrap, topic, partitions, purchases(facts, members, DEFAULT_SEED), head)
            yield Bench(broker, name, topic, partitions, facts, members, len(head), Path(scratch))
        finally:
            delete_topics(broker.bootstrap, name)


def compare(bench: Bench, repeats: int) -> tuple[list[str], list[str]]:
    """All peers, in turns: the lines to print, and what was found wrong.

    Raises:
        PeerNotInstalled: a peer's virtual environment could not be made.
        RunFailed: a peer ended badly, was too slow, or printed no marks.
    """
    pythons = {venv: peer_python(venv, print) for venv in VENVS}
    expected = expected_postings(purchases(bench.facts, bench.members, DEFAULT_SEED), SCHEMA)
    passes: dict[str, list[Spent]] = {name: [] for name in PEERS}
    wrong: list[str] = []
    for turn in range(1, repeats + 1):
        for name, peer in PEERS.items():
            print(f"… {name}, pass {turn} of {repeats}", flush=True)
            spent, written = run_peer(bench, name, turn, pythons[peer.venv])
            print(f"  {spent.cpu_micros:.1f} µs of CPU per event, {spent.per_second:,.0f} events/s", flush=True)
            passes[name].append(spent)
            wrong += [f"{name}, pass {turn}: {line}" for line in differences(expected, written, once=peer.once)]
    points = sum(posting.points for posting in expected.values())
    same = f"All gave the same {points:,} points in the same {len(expected):,} postings as the job in a plain loop."
    told = f"{bench.facts:,} purchases of {bench.members:,} members in {bench.partitions} partitions; {versions()}"
    lines = [
        *table(HEADS, [row_of(peer.title, best(passes[name])) for name, peer in PEERS.items()]),
        "",
        *(wrong or [same]),
        "",
        "; ".join([told, *(f"{venv}: {versions_in(python, LIBRARIES[venv])}" for venv, python in pythons.items())]),
    ]
    return lines, wrong


@contextmanager
def broker_for(bootstrap: str | None, pid: int | None) -> Iterator[Broker]:
    """The broker named, or a local one that lives as long as the body."""
    if bootstrap is not None:
        yield Broker(bootstrap, pid)
        return
    with (
        tempfile.TemporaryDirectory(prefix="tallybook-kafka-") as folder,
        LocalKafka(Path(folder), java_options=BROKER_OPTIONS) as kafka,
    ):
        yield Broker(kafka.bootstrap, kafka.pid)


def main() -> int:
    """Run it all; the exit code is 1 if a peer failed or gave other points."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--facts", type=int, default=DEFAULT_FACTS, help="purchases")
    options.add_argument("--members", type=int, help=f"who buy; without it one for {FACTS_PER_MEMBER} purchases")
    options.add_argument("--bootstrap", help="HOST:PORT of a broker; without it a local one is started")
    options.add_argument("--broker-pid", type=int, help="its process, if it runs on this machine and has one broker")
    options.add_argument("--partitions", type=int, default=DEFAULT_PARTITIONS, help="of every topic")
    options.add_argument("--repeats", type=int, default=1, help="passes of each peer")
    options.add_argument("--markdown", action="store_true", help="write the table into docs/benchmarks.md")
    asked = options.parse_args()
    members = asked.members or members_for(asked.facts)
    try:
        with (
            broker_for(asked.bootstrap, asked.broker_pid) as broker,
            prepared(broker, asked.facts, members, asked.partitions, frame(FACT, b"")) as bench,
        ):
            lines, wrong = compare(bench, asked.repeats)
    except (RunFailed, PeerNotInstalled, ServerError, ArtifactError) as failed:
        print(failed, file=sys.stderr)
        return 1
    print("\n".join(lines))
    if asked.markdown and not wrong:
        write_block("kafka-peers", lines)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
