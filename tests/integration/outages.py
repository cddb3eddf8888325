"""Takes Kafka and ClickHouse away from a running deployment for a while, and shows that it recovers without a hand.

All is real: a Kafka and a ClickHouse of its own, and `tallybook up` with every stage as a process. Nothing may be lost
or doubled, and nobody may be shown a trace.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from confluent_kafka import Producer

from deploy.local.kafka import LocalKafka
from schemas.posting import FIRST_EDITION
from tallybook.stream.open import Stream, open_stream
from tests.integration.brokers import SETTINGS
from tests.integration.clickhouses import ChdbOverHttp
from tests.run.given import Given, say

DEPLOYMENT: Final = "outages"
PARTITIONS: Final = 2
FACTS: Final = 200
MEMBERS: Final = 20
AT: Final = "2026-11-11T11:{minute:02d}:{second:02d}Z"
START: Final = "from tallybook.cli.main import main; main()"
MAX_RECOVERY_SECONDS: Final = 180.0
COMMAND_SECONDS: Final = 120.0
LOOK_SECONDS: Final = 0.5
MAX_LINES: Final = 100_000
Say = Callable[[str], None]


class Outage(AssertionError):
    """What did not come back as it should."""


class Deployment:
    """A Kafka, a ClickHouse and a folder that speaks of both; `say` is told what happens."""

    def __init__(self, kafka: LocalKafka, clickhouse: ChdbOverHttp, folder: Path, say: Say) -> None:
        self.kafka = kafka
        self.clickhouse = clickhouse
        self.folder = folder
        self.lines: list[str] = []
        self.published = 0
        self._say = say
        self._began = time.monotonic()

    def tell(self, text: str) -> None:
        """Say what happens, with the seconds since the beginning."""
        self._say(f"{time.monotonic() - self._began:6.1f} s  {text}")

    def tallybook(self, *arguments: str, stdin: str = "") -> str:
        """Run a command that must go well; what it prints."""
        command = [sys.executable, "-c", START, "-C", str(self.folder), *arguments]
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
        if done.returncode:
            raise Outage(f"`tallybook {' '.join(arguments)}` ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def create(self) -> None:
        """Make topics, books and rules."""
        given = {"--bootstrap": self.kafka.bootstrap, "--deployment": DEPLOYMENT, "--partitions": str(PARTITIONS)}
        options = [word for pair in given.items() for word in pair]
        self.tallybook("topics", "create", *options, "--fact-partitions", "2", "--horizon", "3650")
        settings = self.folder / "stream.toml"
        settings.write_text(settings.read_text().replace('clickhouse = ""', f'clickhouse = "{self.clickhouse.url}"'))
        self.tallybook("rules", "publish", str(next((self.folder / "rulesets").glob("*/*.yaml"))))

    def publish(self) -> None:
        """Publish some more events with a plain client."""
        producer = Producer({"bootstrap.servers": self.kafka.bootstrap, "log_level": 0})
        for number in range(self.published, self.published + FACTS):
            event = {
                "type": "CheckedIn",
                "source": "app",
                "event_id": f"e-{number}",
                "occurred_at": AT.format(minute=number // 60 % 60, second=number % 60),
                "member_id": f"m-{number % MEMBERS}",
            }
            producer.produce(f"{DEPLOYMENT}.facts.check-ins", json.dumps(event).encode())
        if left := producer.flush(COMMAND_SECONDS):
            raise Outage(f"{left} events could not be published")
        self.published += FACTS
        self.tell(f"{self.published} events are published in all")

    @contextmanager
    def up(self) -> Iterator[None]:
        """All stages, as one starts them; afterwards they have ended as they should."""
        command = [sys.executable, "-c", START, "-C", str(self.folder), "up"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        relay = threading.Thread(target=self._relay, args=(process,), daemon=True)
        relay.start()
        try:
            yield
            if process.poll() is not None:
                raise Outage(f"`tallybook up` ended by itself, with {process.returncode}: {self.lines[-20:]}")
        finally:
            process.terminate()
            process.wait(COMMAND_SECONDS)
            relay.join(COMMAND_SECONDS)
            if process.stdout is not None:
                process.stdout.close()
        if process.returncode:
            raise Outage(f"`tallybook up` ended with {process.returncode}: {self.lines[-20:]}")

    def _relay(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            if len(self.lines) < MAX_LINES:
                self.lines.append(line.rstrip())
            self.tell(f"| {line.rstrip()}")

    def await_all(self) -> None:
        """Wait until every published event is in the tables."""
        began = time.monotonic()
        while (shown := self._shown()) != self.published:
            if time.monotonic() - began > MAX_RECOVERY_SECONDS:
                raise Outage(f"{shown} of {self.published} events are in the tables after {MAX_RECOVERY_SECONDS:.0f} s")
            time.sleep(LOOK_SECONDS)
        self.tell(f"all are in the tables, {time.monotonic() - began:.1f} s later")

    def _shown(self) -> int:
        rows = json.loads(
            self.tallybook("sql", "SELECT count() AS n FROM tallybook.facts WHERE source = 'app'", "--json")
        )
        return int(rows[0]["n"])

    def check(self) -> None:
        """See that each event is in the journal once and is scored, as the rules have it, and that all agrees."""
        stream = open_stream(self.folder)
        if missing := _amiss(stream, self.published):
            raise Outage(missing)
        self.tallybook("verify")
        self.tallybook("audit")
        traces = [line for line in self.lines if "Traceback" in line]
        if traces:
            raise Outage(f"a user was shown a trace: {self.lines}")
        self.tell("each event is in the journal once, the ledger is verified, the audits have no rows")


def _amiss(stream: Stream, published: int) -> str:
    """What is wrong with the journal and how far it is scored; empty where nothing is."""
    log = stream.log()
    found: Counter[str] = Counter()
    for partition in range(log.partitions):
        for _, page in log.read_journal(partition):
            found.update(line.fact.event_id for line in page.lines if line.input and hasattr(line.fact, "event_id"))
        last, scored = log.last_page(partition), log.scored_page(FIRST_EDITION, partition)
        if last is not None and last.page != scored:
            return f"partition {partition} is scored up to page {scored} of {last.page}"
    if found != Counter(f"e-{number}" for number in range(published)):
        doubled = [event for event, times in found.items() if times > 1]
        return f"{published} events were published, {len(found)} are in the journal; more than once: {doubled}"
    return ""


def run_outages(folder: Path, seconds: float, say: Say) -> None:
    """Have Kafka down at the start and for `seconds`, Kafka again, then ClickHouse; see that all comes back by itself.

    Raises:
        Outage: something did not.
    """
    with LocalKafka(folder / "kafka", settings=SETTINGS) as kafka, ChdbOverHttp(folder / "clickhouse") as clickhouse:
        made = Deployment(kafka, clickhouse, folder / "deployment", say)
        made.create()
        made.tell("Kafka goes, then the stages are started")
        kafka.kill()
        with made.up():
            time.sleep(seconds)
            kafka.start()
            made.tell("Kafka is back")
            made.publish()
            made.await_all()
            made.publish()
            made.tell("Kafka goes, in the midst of work")
            kafka.kill()
            time.sleep(seconds)
            kafka.start()
            made.tell("Kafka is back")
            made.publish()
            made.await_all()
            made.tell("ClickHouse goes")
            clickhouse.kill()
            made.publish()
            time.sleep(seconds)
            clickhouse.start()
            made.tell("ClickHouse is back")
            made.await_all()
        made.check()


def run(given: Given) -> list[str]:
    """Run them, and say what happens; what did not come back."""
    with tempfile.TemporaryDirectory(prefix="tallybook-outages-") as folder:
        try:
            run_outages(Path(folder), given.seconds, say)
        except Outage as outage:
            return [str(outage)]
    return []
