"""A deployment to be struck: a real Kafka, a ClickHouse behind HTTP, all stages as processes, and a publisher."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from books.errors import BooksError
from books.kafka.cluster import Cluster
from deploy.local.kafka import LocalKafka
from processors.stream.ticker import oldest_waiting
from projections.clickhouse.client import open_server
from projections.store import StoreError
from schemas.instants import parse_instant
from schemas.posting import FIRST_EDITION
from tallybook.stream.open import Stream, open_stream
from tallybook.tables.catch_up import is_behind, projected_positions
from tests.chaos.events import RULES
from tests.chaos.processes import Stages
from tests.chaos.publishing import Publishing
from tests.chaos.stage import Orders
from tests.integration.brokers import SETTINGS
from tests.integration.clickhouses import ChdbOverHttp
from tests.sql.projected_books import answers

DEPLOYMENT: Final = "chaos"
PARTITIONS: Final = 4
FACT_PARTITIONS: Final = 3
SPEED: Final = 720  # an hour in five seconds
BEGINS_AT: Final = parse_instant("2026-03-27T19:00:00Z")  # two days before the clocks of Berlin go forward
PARTS: Final = {"intake": 2, "score": 2, "tick": 1, "project": 2}
DRAIN_SECONDS: Final = 600.0  # on a busy machine; it takes a few
LOOK_SECONDS: Final = 0.5
SAID_EVERY_SECONDS: Final = 5.0
Say = Callable[[str], None]


class World:
    """All of it in one folder; `close` it, whatever happens."""

    def __init__(self, scratch: Path, seed: str, session_seconds: float, say: Say) -> None:
        self.scratch = scratch
        self.say = say
        self.folder = scratch / "deployment"
        self.kafka = LocalKafka(scratch / "kafka", settings=SETTINGS)
        self.kafka.start()
        self.clickhouse = ChdbOverHttp(scratch / "clickhouse")
        self.orders = Orders(BEGINS_AT, time.time_ns() // 1_000_000, SPEED, session_seconds)
        self.stages = Stages(self.folder, self.orders, scratch)
        self.versions = 0
        self._open_books()
        self.stream: Stream = open_stream(self.folder)
        # The times of records are the publisher's, which live as quickly as everything here.
        self._keep_times_of_publishers()
        self.publishing = Publishing(self.kafka.bootstrap, self.stream.topics, self.orders, seed)
        self.stages.start(**PARTS)

    def publish_rules(self) -> None:
        """Publish another version of the rules, in force from now on."""
        self.versions += 1
        file = self.folder / "rulesets" / f"{self.versions}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(RULES.format(version=self.versions), encoding="utf-8")
        self.stages.run("rules", "publish", str(file))

    def answers(self) -> dict[str, list[bytes]]:
        """What every view answers now."""
        with open_server(self.clickhouse.url) as store:
            return answers(store)

    def behind(self) -> str:
        """Which stage has still something to do, in words; empty if none has."""
        stream = self.stream
        try:
            if oldest_waiting(stream.cluster, stream.topics) is not None:
                return "the intake has facts to take in"
            log = stream.log()
            log.refresh_settled()
            for partition in range(log.partitions):
                page, last = log.last_page(partition), log.last_batch(FIRST_EDITION, partition)
                if page is not None and (last is None or last[1].scored_page < page.page):
                    return f"pages of partition {partition} are to be scored"
            with open_server(self.clickhouse.url) as store:
                if is_behind(log, projected_positions(store)):
                    return "the books are to be projected"
        except (BooksError, StoreError) as error:
            return str(error)
        return ""

    def drain(self, beside: Callable[[], None] = lambda: None) -> float:
        """Wait until no stage has anything to do; the seconds it took. Raises AssertionError where it does not end."""
        began = said_at = time.monotonic()
        while why := self.behind():
            now = time.monotonic()
            if now - began > DRAIN_SECONDS:
                self.stages.tell_stacks()
                raise AssertionError(f"after {DRAIN_SECONDS:.0f} s nobody strikes and {why}")
            if now - said_at > SAID_EVERY_SECONDS:
                said_at = now
                self.say(f"      draining: {why}")
            beside()
            time.sleep(LOOK_SECONDS)
        return time.monotonic() - began

    def close(self) -> None:
        """End all processes."""
        self.stages.close()
        if self.clickhouse.runs:
            self.clickhouse.kill()
        if self.kafka.running:
            self.kafka.kill()

    def _open_books(self) -> None:
        run = self.stages.run
        given = ["--bootstrap", self.kafka.bootstrap, "--deployment", DEPLOYMENT, "--partitions", str(PARTITIONS)]
        run("topics", "create", *given, "--fact-partitions", str(FACT_PARTITIONS), "--horizon", "40")
        settings = self.folder / "stream.toml"
        text = settings.read_text(encoding="utf-8").replace('clickhouse = ""', f'clickhouse = "{self.clickhouse.url}"')
        settings.write_text(text, encoding="utf-8")
        self.publish_rules()

    def _keep_times_of_publishers(self) -> None:
        # By these times the segments would be old; and nobody here may lose a fact by its age.
        settings = {"message.timestamp.type": "CreateTime", "retention.ms": str(-1)}
        for topic in self.stream.topics.facts:
            alter_topic(self.stream.cluster, topic, settings)


def alter_topic(cluster: Cluster, topic: str, settings: dict[str, str]) -> None:
    """Change settings of a topic, as an operator would."""
    from confluent_kafka.admin import (  # noqa: PLC0415 - used once, before anything is timed
        AdminClient,
        AlterConfigOpType,
        ConfigEntry,
        ConfigResource,
        ResourceType,
    )

    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in settings.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    client = AdminClient({"bootstrap.servers": cluster.bootstrap})
    for future in client.incremental_alter_configs([resource]).values():
        future.result()
