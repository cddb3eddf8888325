"""Measures us and the peers on one Apache Kafka over the same Avro purchases: what a fact costs each.

    python -m benchmarks.kafka [--facts N] [--members M] [--partitions P] [--repeats R] [--programme NAME]
                               [--no-peers] [--profile] [--markdown] [--bootstrap HOST:PORT [--broker-pid PID]]

Without --bootstrap it starts a local Apache Kafka of its own. The peers and we take turns, --repeats times, each time
with fresh topics and state; of each process the pass with the least CPU counts. With --profile one more pass of ours is
sampled, and the tables of where its CPU goes are printed instead. Ends with 1 if a process failed, if a peer's postings
differ from what its job gives in a plain loop, or if `tallybook verify` finds a difference in one of our ledgers.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.kafka.checking import differences, expected_postings
from benchmarks.kafka.deployments import DEFAULT_PROGRAMME, PROGRAMMES, ROOT
from benchmarks.kafka.measure import RunFailed, Spent
from benchmarks.kafka.ours import STAGES, TITLES, Pass, profile_lines, run_ours
from benchmarks.kafka.peers import (
    DEFAULT_FACTS,
    DEFAULT_PARTITIONS,
    FACT,
    LIBRARIES,
    PEERS,
    SCHEMA,
    Bench,
    best,
    broker_for,
    prepared,
    row_of,
    run_peer,
)
from benchmarks.kafka.purchases import DEFAULT_SEED, FACTS_PER_MEMBER, members_for, purchases
from benchmarks.kafka.venvs import VENVS, PeerNotInstalled, peer_python, versions_in
from benchmarks.report import table, versions, write_block
from deploy.local.artifacts import KAFKA, ArtifactError
from deploy.local.server import ServerError
from schemas.avro.single_object import frame
from tallybook.folder.folder import read_ruleset

HEADS: Final = ("process", "CPU µs per fact", "facts/s", "broker CPU µs per fact")
RATIO_HEADS: Final = ("ratio of CPU per fact", "to reach", *PEERS)
# What is held against which peer, and the most that it may be.
RATIOS: Final = (
    (("score",), {"quix": 0.5}),
    (("intake", "score"), {"quix": 0.8, "faust": 0.1}),
)
OURS_LIBRARIES: Final = ("confluent-kafka", "faust-streaming", "aiokafka", "cramjam")


class Measured:
    """All passes of all processes, and what was found wrong with them."""

    def __init__(self) -> None:
        self.peers: dict[str, list[Spent]] = {name: [] for name in PEERS}
        self.ours: dict[str, list[Spent]] = {stage: [] for stage in STAGES}
        self.digests: set[str] = set()
        self.wrong: list[str] = []

    def note(self, turn: int, done: Pass) -> None:
        """Keep a pass of ours."""
        for stage, spent in done.spent.items():
            self.ours[stage].append(spent)
        self.digests.add(done.digest)
        self.wrong += [f"our ledger, pass {turn}: {line}" for line in done.wrong]

    def ratio(self, stages: Sequence[str], peer: str) -> float:
        """CPU of these stages of ours together, as a multiple of a peer's."""
        return sum(best(self.ours[stage]).cpu_micros for stage in stages) / best(self.peers[peer]).cpu_micros


def measure(bench: Bench, repeats: int, programme: str, pythons: dict[str, Path]) -> Measured:
    """All processes in turns; without `pythons` ours alone."""
    found = Measured()
    expected = expected_postings(purchases(bench.facts, bench.members, DEFAULT_SEED), SCHEMA) if pythons else {}
    for turn in range(1, repeats + 1):
        for name, peer in PEERS.items() if pythons else ():
            spent, written = run_peer(bench, name, turn, pythons[peer.venv])
            _tell(f"{name}, pass {turn} of {repeats}", spent)
            found.peers[name].append(spent)
            found.wrong += [f"{name}, pass {turn}: {line}" for line in differences(expected, written, once=peer.once)]
        done = run_ours(bench, str(turn), programme)
        for stage, spent in done.spent.items():
            _tell(f"our {stage}, pass {turn} of {repeats}", spent)
        found.note(turn, done)
    if len(found.digests) > 1:
        found.wrong.append(f"the same purchases gave different ledgers: {', '.join(sorted(found.digests))}")
    return found


def _tell(what: str, spent: Spent) -> None:
    print(f"… {what}: {spent.cpu_micros:.1f} µs of CPU per fact, {spent.per_second:,.0f} facts/s", flush=True)


def result_lines(bench: Bench, found: Measured, programme: str, pythons: dict[str, Path]) -> list[str]:
    """The tables, the checks and the versions."""
    rules = rules_of(programme)
    rows = [row_of(TITLES[stage].format(rules=rules), best(found.ours[stage])) for stage in STAGES]
    rows += [row_of(peer.title, best(found.peers[name])) for name, peer in PEERS.items() if pythons]
    lines = [*table(HEADS, rows), ""]
    if pythons:
        lines += [*table(RATIO_HEADS, [_ratio_row(found, *asked) for asked in RATIOS]), ""]
        if not found.wrong:
            lines.append("Each peer's postings are those of its job in a plain loop.")
    if not found.wrong:
        lines.append(
            f"Our ledger is what the rules make of the journal: `verify` found 0 differences in {bench.facts:,}"
        )
        lines[-1] += f" postings (ledger digest {next(iter(found.digests))[:12]})."
    lines += [*found.wrong, "", told(bench, pythons)]
    return lines


def _ratio_row(found: Measured, stages: Sequence[str], asked: dict[str, float]) -> list[str]:
    bounds = ", ".join(f"≤ {most:g} × {peer}" for peer, most in asked.items())
    cells = []
    for peer in PEERS:
        ratio = found.ratio(stages, peer)
        most = asked.get(peer)
        verdict = "" if most is None else " reached" if ratio <= most else " not reached"
        cells.append(f"{ratio:.2f}{verdict}")
    return [" + ".join(stages), bounds, *cells]


def rules_of(programme: str) -> str:
    """How many rules a shipped programme has, in words."""
    _, ruleset = read_ruleset(ROOT / "rulesets" / programme / PROGRAMMES[programme])
    return f"{len(ruleset.rules)} rules of the {programme}"


def told(bench: Bench, pythons: dict[str, Path]) -> str:
    """One line: how much it was, and all versions."""
    size = f"{bench.facts:,} purchases of {bench.members:,} members in {bench.partitions} partitions"
    ours = versions_in(Path(sys.executable), OURS_LIBRARIES)
    peers = [f"{venv}: {versions_in(python, LIBRARIES[venv])}" for venv, python in pythons.items()]
    return "; ".join([size, f"Apache Kafka {KAFKA.version}", versions(), f"ours: {ours}", *peers])


def profiled(bench: Bench, programme: str) -> tuple[list[str], list[str]]:
    """The tables of a sampled pass of ours, and what was found wrong."""
    done = run_ours(bench, "profile", programme, is_sampled=True)
    lines = [
        "CPU by samples of the stacks of all threads, each weighed by the CPU that its thread used since the last."
    ]
    for stage in ("intake", "score"):
        lines += ["", *profile_lines(stage, done.profiles[stage])]
    return [*lines, "", told(bench, {})], done.wrong


def main() -> int:
    """Run it as the command line says; the exit code is 1 if a process failed or a check found something."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--facts", type=int, default=DEFAULT_FACTS, help="purchases")
    options.add_argument("--members", type=int, help=f"who buy; without it one for {FACTS_PER_MEMBER} purchases")
    options.add_argument("--partitions", type=int, default=DEFAULT_PARTITIONS, help="of every topic")
    options.add_argument("--repeats", type=int, default=1, help="passes of each process")
    options.add_argument("--programme", choices=tuple(PROGRAMMES), default=DEFAULT_PROGRAMME, help="whose rules")
    options.add_argument("--bootstrap", help="HOST:PORT of a broker; without it a local one is started")
    options.add_argument("--broker-pid", type=int, help="its process, if it runs on this machine and has one broker")
    options.add_argument("--no-peers", action="store_true", help="measure ours alone, without the peers' environments")
    options.add_argument("--profile", action="store_true", help="print where our CPU goes instead")
    options.add_argument("--markdown", action="store_true", help="write the tables into docs/benchmarks.md")
    asked = options.parse_args()
    members = asked.members or members_for(asked.facts)
    has_peers = not (asked.no_peers or asked.profile)
    try:
        pythons = {venv: peer_python(venv, print) for venv in VENVS} if has_peers else {}
        with (
            broker_for(asked.bootstrap, asked.broker_pid) as broker,
            prepared(broker, asked.facts, members, asked.partitions, frame(FACT, b"")) as bench,
        ):
            if asked.profile:
                lines, wrong = profiled(bench, asked.programme)
            else:
                found = measure(bench, asked.repeats, asked.programme, pythons)
                lines, wrong = result_lines(bench, found, asked.programme, pythons), found.wrong
    except (RunFailed, PeerNotInstalled, ServerError, ArtifactError, RuntimeError) as failed:
        print(failed, file=sys.stderr)
        return 1
    print("\n".join(lines))
    if asked.markdown and not wrong:
        write_block("kafka-profile" if asked.profile else "kafka", lines)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
