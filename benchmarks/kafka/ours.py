"""Our side of the Kafka benchmark: intake, scoring and projection over the peers' purchases, each measured apart.

Every pass has a deployment of its own, made by the product's commands, with the whole programme's rules. The same
purchases, byte for byte and in the same order, are published to its topic of purchases; then one process of each stage
runs from the first fact to the last, one after the other, between the same marks as a peer (benchmarks/kafka/measure).
After each pass `tallybook verify` decides all again: the ledger must be what the rules make of the journal.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.kafka.deployments import ROOT, Deployment, deployed, environment, tallybook
from benchmarks.kafka.measure import Spent, measured
from benchmarks.kafka.peers import FACT, SECONDS_PER_EVENT, START_SECONDS, Bench
from benchmarks.kafka.purchases import DEFAULT_SEED, publish, purchases
from benchmarks.report import table
from schemas.avro.single_object import frame

STAGES: Final = ("intake", "score", "project")
TITLES: Final = {
    "intake": "Tallybook intake: topic of purchases to journal (exactly once)",
    "score": "Tallybook scoring: journal to ledger, {rules} (exactly once)",
    "project": "Tallybook projection: journal and ledger to ClickHouse, embedded",
}
FUNCTIONS_SHOWN: Final = 18


class Pass(NamedTuple):
    """One pass: what each stage took, what is wrong with its books, and where the CPU went if that was asked."""

    spent: dict[str, Spent]
    wrong: list[str]
    digest: str
    profiles: dict[str, Profile]


class Profile(NamedTuple):
    """CPU seconds of a stage by category, and by function itself as (file, name, seconds)."""

    events: int
    categories: dict[str, float]
    functions: list[tuple[str, str, float]]


def run_ours(bench: Bench, turn: str, programme: str, *, is_sampled: bool = False) -> Pass:
    """One pass of all our stages in a deployment of its own.

    Raises:
        RunFailed: a stage ended badly, was too slow, or printed no marks.
        RuntimeError: a command failed.
    """
    root = bench.scratch / f"ours-{turn}"
    name = f"{bench.name}-ours-{turn}".replace("_", "-")
    bootstrap = bench.broker.bootstrap
    with deployed(bootstrap, root, name, bench.partitions, programme) as deployment:
        of = purchases(bench.facts, bench.members, DEFAULT_SEED)
        publish(bootstrap, deployment.purchases, bench.partitions, of, frame(FACT, b""))
        spent: dict[str, Spent] = {}
        profiles: dict[str, Profile] = {}
        for stage in STAGES:
            sample = root / f"{stage}.json" if is_sampled else None
            spent[stage] = _run_stage(bench, deployment, stage, sample)
            if sample is not None:
                found = json.loads(sample.read_text(encoding="utf-8"))
                functions = [tuple(each) for each in found["functions"]]
                profiles[stage] = Profile(spent[stage].events, found["categories"], functions)
        wrong, digest = _verified(bench, deployment)
    return Pass(spent, wrong, digest, profiles)


def _run_stage(bench: Bench, deployment: Deployment, stage: str, sample: Path | None) -> Spent:
    options = ["--folder", str(deployment.root), "--facts", str(bench.facts)]
    return measured(
        [
            *(sys.executable, "-m", "benchmarks.kafka.ours_stage", stage, *options),
            *([] if sample is None else ["--sample", str(sample)]),
        ],
        cwd=ROOT,
        log=deployment.root / f"{stage}.log",
        wait_seconds=START_SECONDS + SECONDS_PER_EVENT * bench.facts,
        broker_pid=bench.broker.pid,
        env=environment(),
    )


def _verified(bench: Bench, deployment: Deployment) -> tuple[list[str], str]:
    """What is wrong with the books, in sentences, and the digest of the ledger."""
    found = json.loads(tallybook(deployment.root, "verify", "--json"))
    wrong = [f"{name} is {found[name]}" for name in ("differences", "unscored") if found[name]]
    if found["postings"] != bench.facts:
        wrong.append(f"there are {found['postings']:,} postings of {bench.facts:,} purchases")
    return wrong, str(found["ledger_digest"])


def profile_lines(stage: str, profile: Profile) -> list[str]:
    """Two tables: CPU per fact by category, and the functions that used most of it themselves."""
    total = sum(profile.categories.values())
    micros = 1e6 / profile.events
    categories = sorted(profile.categories.items(), key=lambda item: -item[1])
    rows = [(name, f"{seconds * micros:.1f}", f"{seconds / total:.1%}") for name, seconds in categories]
    functions = [
        (f"`{file}` `{name}`", f"{seconds * micros:.2f}", f"{seconds / total:.1%}")
        for file, name, seconds in profile.functions[:FUNCTIONS_SHOWN]
    ]
    return [
        f"**{stage}**: {total * micros:.1f} µs of CPU per fact",
        "",
        *table(("in", "µs per fact", "share"), rows),
        "",
        *table(("function itself", "µs per fact", "share"), functions),
    ]
