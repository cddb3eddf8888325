"""What the stages show of themselves on a real Kafka: metrics, health, accounts, and the stage that stands still."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from books.kafka.cluster import Cluster
from deploy.local.server import free_ports
from schemas.partitions import partition_of
from tallybook.exit_codes import Exit
from tallybook.stream.stages.endpoints import GROUPS
from tests.support.command_line import run
from tests.support.http_asking import Got, ask
from tests.support.waiting import MAX_WAIT_SECONDS, wait_for

TOKEN = "the-token-of-this-test"  # noqa: S105 - opens nothing but the workers of this test
KEY = {"Authorization": f"Bearer {TOKEN}"}
PARTITIONS = 4
MEMBERS = [f"member-{number}" for number in range(12)]
MAX_PROCESSES = 8
NAMES = {
    "tallybook_alive", "tallybook_facts_total", "tallybook_group_members", "tallybook_kafka_answers", "tallybook_lag",
    "tallybook_longest_transaction_seconds", "tallybook_partitions_held", "tallybook_postings_total",
    "tallybook_ready", "tallybook_records_total", "tallybook_restarts_total", "tallybook_start_time_seconds",
    "tallybook_take_over_seconds_total", "tallybook_take_overs_total", "tallybook_tick_held_back",
    "tallybook_tick_held_back_until_seconds", "tallybook_ticks_total", "tallybook_transaction_seconds_bucket",
    "tallybook_transaction_seconds_count", "tallybook_transaction_seconds_sum",
}  # fmt: skip
MAIN = "from tallybook.cli.main import main; main()"


@dataclass
class Process:
    """A stage that runs, and where it answers."""

    command: str
    instance: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def ask(self, target: str, headers: dict[str, str] | None = None) -> Got:
        return ask(self.port, target, headers=headers or {})

    def answers(self, target: str, status: int) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        with suppress(OSError):  # it is not up yet
            return self.ask(target).status == status
        return False

    def metrics(self) -> dict[str, list[tuple[dict[str, str], float]]]:
        found: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in text_string_to_metric_families(self.ask("/metrics").body):
            for sample in family.samples:
                found.setdefault(sample.name, []).append((sample.labels, sample.value))
        return found

    def total(self, name: str) -> float:
        return sum(value for _, value in self.metrics().get(name, [({}, -1.0)]))

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(MAX_WAIT_SECONDS)
            finally:
                self.process.kill()


@dataclass
class Stages:
    """The processes of one deployment, each in its own."""

    folder: Path
    bootstrap: str
    deployment: str
    running: dict[str, Process] = field(default_factory=dict)
    ports: list[int] = field(default_factory=lambda: list(free_ports(MAX_PROCESSES)))

    def start(self, command: str, instance: str, *, token: str = TOKEN) -> Process:
        port = self.ports.pop()
        log = self.folder / f"{command}-{instance}-{port}.log"
        options = ["--instance", instance, "--metrics", str(port), "--json-logs"]
        with log.open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-c", MAIN, "-C", str(self.folder), command, *options],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env={**os.environ, "TALLYBOOK_ACCOUNTS_TOKEN": token},
            )
        started = Process(command, instance, port, process, log)
        self.running[f"{command}-{instance}"] = started
        return started

    @property
    def workers(self) -> list[Process]:
        return [one for one in self.running.values() if one.command == "score"]

    def publish(self, first: int) -> None:
        """A purchase of each member, numbered from `first`, and a message that is none."""
        publisher = Cluster(self.bootstrap).publisher()
        topic = f"{self.deployment}.facts.purchases"
        for at, member_id in enumerate(MEMBERS):
            publisher.send(topic, json.dumps(purchase(first + at, member_id)).encode())
        publisher.send(topic, b"this is no event")
        publisher.flush()

    def status(self, *, watch_seconds: float = 1) -> tuple[int, dict[str, Any]]:
        found = run(self.folder, "status", "--json", "--watch-seconds", str(watch_seconds))
        return found.code, found.json()


def purchase(number: int, member_id: str) -> dict[str, Any]:
    line = {"sku": "tea", "quantity": "1", "amount_minor": 1_000 + number, "category": "tea"}
    return {
        "event_id": f"p-{number}",
        "source": "pos",
        "occurred_at": "2024-01-09T12:00:00Z",
        "member_id": member_id,
        "order_id": f"o-{number}",
        "currency": "EUR",
        "lines": [line],
    }


@pytest.fixture(scope="module")
def stages(bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    """A deployment with two workers and one process of every other stage, all ready."""
    folder = tmp_path_factory.mktemp("observed")
    name = f"observed-{os.getpid()}-{time.monotonic_ns()}"
    options = ["--partitions", str(PARTITIONS), "--fact-partitions", "1", "--horizon", "36500"]
    created = run(folder, "topics", "create", "--bootstrap", bootstrap, "--deployment", name, *options)
    assert created.code == 0, created.err
    rules = folder / "rulesets" / "starter" / "1.yaml"
    # What was earned at a fixed instant shall not have expired by now, whenever that is.
    text = rules.read_text()
    rules.write_text("".join(line for line in text.splitlines(keepends=True) if not line.startswith("expiry:")))
    published = run(folder, "rules", "publish", str(rules))
    assert published.code == 0, published.err
    stages = Stages(folder, bootstrap, name)
    try:
        for command, instance in (("intake", "1"), ("tick", "1"), ("score", "1"), ("score", "2"), ("project", "1")):
            stages.start(command, instance)
        stages.publish(0)
        wait_for("all are ready", lambda: all(one.answers("/health/ready", 200) for one in stages.running.values()))
        yield stages
    finally:
        for one in stages.running.values():
            one.end(signal.SIGKILL)


def wait_until_done(stages: Stages) -> None:
    wait_for("nothing waits", lambda: stages.status(watch_seconds=0)[1]["verdict"][0].startswith("all that was"))


def test_every_stage_shows_what_it_did_and_that_nothing_waits(stages: Stages) -> None:
    wait_until_done(stages)
    those = [one for one in stages.running.values() if one.command != "tick"]
    wait_for("no metrics show a lag", lambda: not any(one.total("tallybook_lag") for one in those))
    for one in stages.running.values():
        found = one.metrics()
        own = {"deployment": stages.deployment, "stage": one.command, "instance": one.instance}
        assert all(labels.items() >= own.items() for those in found.values() for labels, _ in those)
        assert set(found) >= NAMES - ({"tallybook_lag"} if one.command == "tick" else set())
        assert one.total("tallybook_partitions_held") > 0
        health = json.loads(one.ask("/health").body)
        assert (health["stage"], health["alive"], health["ready"]) == (one.command, True, True)
        assert one.answers("/health/live", 200)
        assert one.answers("/nothing", 404)
    running = stages.running
    assert running["intake-1"].total("tallybook_records_total") == len(MEMBERS) + 1
    assert [
        (labels["reason"], value) for labels, value in running["intake-1"].metrics()["tallybook_rejects_total"]
    ] == [("malformed", 1)]
    assert running["intake-1"].total("tallybook_oldest_fact_age_seconds") == 0
    assert running["tick-1"].total("tallybook_ticks_total") >= 1
    assert sum(one.total("tallybook_postings_total") for one in stages.workers) == len(MEMBERS)
    assert running["project-1"].total("tallybook_postings_total") == len(MEMBERS)
    assert sum(one.total("tallybook_partitions_held") for one in stages.workers) == PARTITIONS


def test_every_line_is_json_and_none_has_the_token(stages: Stages) -> None:
    for one in stages.running.values():
        for line in one.log.read_text().splitlines():
            said = json.loads(line)
            assert (said["stage"], said["instance"]) == (one.command, one.instance)
            assert TOKEN not in line


def asked(stages: Stages, member_id: str) -> dict[str, Any]:
    """The account of a member, whichever worker is asked."""
    answers = []
    for worker in stages.workers:
        got = worker.ask(f"/accounts/{member_id}", KEY)
        if got.status == 307:
            to = urlsplit(got.headers["location"])
            assert to.port != worker.port
            got = ask(int(to.port or 0), f"{to.path}?{to.query}", headers=KEY)
        assert got.status == 200, got.body
        answers.append(json.loads(got.body))
    assert all(answer == answers[0] for answer in answers)
    return dict(answers[0])


def test_accounts_are_as_the_tables_have_them(stages: Stages) -> None:
    wait_until_done(stages)
    for member_id in MEMBERS[:6]:
        account = asked(stages, member_id)
        told = run(stages.folder, "balance", member_id, "--json").json()
        assert account["balance"] == told["balance"] > 0
        assert account["partition"] == partition_of(member_id, PARTITIONS)
        assert account["seq"] >= 1
        assert sum(lot["remaining"] for lot in account["lots"]) == account["balance"] + account["deficit"]
    statuses = {worker.ask(f"/accounts/{member}", KEY).status for worker in stages.workers for member in MEMBERS}
    assert statuses == {200, 307}
    assert stages.workers[0].ask("/accounts/member-1").status == 401
    assert stages.workers[0].ask("/accounts/member-1", {"Authorization": "Bearer wrong"}).status == 401
    assert stages.running["intake-1"].ask("/accounts/member-1", KEY).status == 404


def test_a_worker_that_comes_back_elsewhere_is_found_there(stages: Stages) -> None:
    first, second = stages.workers
    mine = next(one for one in MEMBERS if first.ask(f"/accounts/{one}", KEY).status == 307)
    second.end(signal.SIGKILL)
    again = stages.start("score", second.instance)
    assert again.port != second.port

    def leads_there() -> bool:
        got = first.ask(f"/accounts/{mine}", KEY)
        assert got.status in {200, 307, 503}, got.body
        return got.status == 200 or f":{again.port}/" in got.headers.get("location", "")

    wait_for("the first worker knows where the second is", lambda: leads_there() and again.answers("/health", 200))
    assert asked(stages, mine)["balance"] > 0


def test_the_stage_that_stands_still_is_named(stages: Stages) -> None:
    for worker in stages.workers:
        worker.process.terminate()
    for worker in stages.workers:
        # Asked once alone: whoever is asked twice ends at once, and not with 0.
        assert worker.process.wait(MAX_WAIT_SECONDS) == 0
        worker.end()
    stages.publish(100)
    wait_for("the facts are taken in", lambda: stages.running["intake-1"].total("tallybook_records_total") >= 26)
    code, found = stages.status()
    assert (code, found["stuck"]) == (Exit.FOUND, ["scoring"])
    assert "scoring has up to" in found["verdict"][0]
    assert "none was scored within 1 s" in found["verdict"][0]
    assert [one["stage"] for one in found["stages"]] == ["intake", "ticker", "scoring", "projection"]
    closed = [stages.start("score", instance, token="") for instance in ("1", "2")]
    wait_until_done(stages)
    code, found = stages.status()
    assert (code, found["stuck"]) == (Exit.DONE, [])
    assert (found["postings"], found["facts"] > 24, found["rejects"]) == (2 * len(MEMBERS), True, 2)
    assert found["tables"] == "up to date"
    assert found["rulesets"].startswith("1 from ")
    refused = closed[0].ask("/accounts/member-1", KEY)
    assert refused.status == 403
    assert "TALLYBOOK_ACCOUNTS_TOKEN" in refused.body


def test_the_groups_are_those_of_the_commands() -> None:
    assert GROUPS == {"intake": "intake", "tick": "ticker", "score": "scoring", "project": "projection"}
