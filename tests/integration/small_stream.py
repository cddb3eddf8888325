"""A small deployment on the session's Kafka, for tests that drive the stages of a stream by hand or as processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from books.kafka.create import create_topics
from books.kafka.create import open_stream as open_books
from books.kafka.messages import page_message, page_of
from books.kafka.producer import TransactionalProducer
from books.kafka.records import Place, Record
from books.kafka.take_over import TRANSACTION_SECONDS
from books.snapshots.store import SnapshotStore
from processors.ruleset.parse import parse_ruleset
from processors.stream.scoring import StreamScorer
from processors.stream.stage_counts import StageCounts
from schemas.canonical import canonical_fact
from schemas.facts import CheckedIn, ClockTicked, JournalFact, JournalOpened, PublishedFact
from schemas.pages import JournalLine
from schemas.partitions import partition_of
from schemas.posting import FIRST_EDITION, Posting
from tallybook.folder.folder import Folder, load_published
from tallybook.folder.publish_rules import publish_ruleset
from tallybook.stream.open import open_stream
from tallybook.stream.publish_rules import stream_publications
from tallybook.stream.settings import load_settings, write_settings
from tests.support.processes import MAIN
from tests.support.waiting import MAX_WAIT_SECONDS, wait_for, wait_until_settled
from tests.support.whole_books import postings_of

DAY_MS = 86_400_000
OPENED_AT = 1_790_000_000_000
PARTITIONS = 2
REPOSITORY = Path(__file__).resolve().parents[2]

POLL_RECORDS = 500
POLL_SECONDS = 0.5
MAX_POLLS = 200
MAX_MEMBERS = 100_000


def members_in(partition: int, partitions: int = PARTITIONS, *, length: int = 0) -> Iterator[str]:
    """Members whose account lives in a partition, with ids of at least that length."""
    names = (f"member-{number}".ljust(length, "x") for number in range(MAX_MEMBERS))
    return (name for name in names if partition_of(name, partitions) == partition)


def member_in(partition: int) -> str:
    """One of them."""
    return next(members_in(partition))


def check_in(event_id: str, member_id: str, occurred_at: int = OPENED_AT) -> CheckedIn:
    return CheckedIn("app", event_id, occurred_at, member_id)


class SmallStream:
    """A deployment's topics and books, made anew, and a folder that names it."""

    def __init__(self, bootstrap: str, deployment: str, root: Path, *, partitions: int = PARTITIONS) -> None:
        write_settings(root, load_settings(root, bootstrap=bootstrap, deployment=deployment))
        self.root = root
        self.stream = open_stream(root)
        self.cluster = self.stream.cluster
        self.topics = self.stream.topics
        self.opened = JournalOpened(deployment, 1, partitions, 0, 800 * DAY_MS, 30 * DAY_MS, OPENED_AT)
        create_topics(self.cluster, self.topics.table(partitions, 1))
        open_books(self.cluster, self.topics, self.opened)
        self._writer: TransactionalProducer | None = None

    def settle(self) -> None:
        """Wait until readers see what was committed to journal and ledger; no transaction may be open."""
        topics = (self.topics.journal, self.topics.ledger(FIRST_EDITION))
        every = range(self.opened.partitions)
        wait_until_settled(self.cluster, (Place(topic, partition) for topic in topics for partition in every))

    def publish_rules(self, text: str, now: int = OPENED_AT) -> None:
        """Publish a ruleset as `rules publish` does."""
        ruleset, _ = parse_ruleset(text, "rules of a test")
        with stream_publications(Folder(self.root)) as publications:
            assert publish_ruleset(publications, text, ruleset, effective_from=None, now=now)

    def publish(self, facts: Iterable[PublishedFact]) -> None:
        """Send facts to their topics, as a publisher does."""
        topics = {fact_type: topic for topic, fact_type in self.topics.facts.items()}
        publisher = self.cluster.publisher()
        for fact in facts:
            publisher.send(topics[type(fact).__name__], canonical_fact(fact))
        publisher.flush()

    def producer(self, name: str, *, timeout_seconds: float = TRANSACTION_SECONDS) -> TransactionalProducer:
        """One more who writes in transactions."""
        producer = self.cluster.producer(self.topics.transactional_id(name), timeout_seconds=timeout_seconds)
        producer.open()
        return producer

    def send_page(self, producer: TransactionalProducer, partition: int, facts: Sequence[JournalFact]) -> None:
        """A page of the journal within a transaction of whoever writes; it is with the broker afterwards."""
        lines = [JournalLine(fact, OPENED_AT, getattr(fact, "member_id", None)) for fact in facts]
        producer.send(self.topics.journal, page_message(lines), partition=partition)
        producer.flush()

    def write_page(self, partition: int, facts: Sequence[JournalFact]) -> None:
        """A committed page of the journal."""
        if self._writer is None:
            self._writer = self.producer("test-writer")
        self._writer.begin()
        self.send_page(self._writer, partition, facts)
        self._writer.commit()

    def records(self, place: Place, start: int = 0) -> list[Record]:
        """All committed records of a place from an offset on."""
        reader = self.cluster.reader()
        found: list[Record] = []
        try:
            reader.set_on({place: start})
            for _ in range(MAX_POLLS):
                polled = reader.poll(POLL_RECORDS, POLL_SECONDS)
                found += polled.records
                if polled.at_end:
                    return found
        finally:
            reader.close()
        raise AssertionError(f"{place} has no end")

    def pages(self, partition: int, start: int = 0) -> list[Record]:
        """The journal's records of a partition from an offset on; no transaction may be open."""
        self.settle()
        return self.records(Place(self.topics.journal, partition), start)

    def postings(self, partition: int) -> list[Posting]:
        """The ledger of a partition, as readers see it now."""
        return postings_of(self.stream.log(), partition)

    def events(self, partition: int) -> list[str]:
        """The event ids of the postings of a partition."""
        return [posting.event_id for posting in self.postings(partition)]

    def facts(self, partition: int) -> list[JournalFact]:
        """The journal of a partition, fact by fact."""
        return [line.fact for record in self.pages(partition) for line in page_of(record).lines]

    def ticks(self) -> list[list[int]]:
        """The ticks of every partition, in order."""
        partitions = range(self.opened.partitions)
        return [[fact.at for fact in self.facts(number) if isinstance(fact, ClockTicked)] for number in partitions]

    def scorer(
        self, partition: int, snapshots: SnapshotStore | None = None, counts: StageCounts | None = None
    ) -> StreamScorer:
        """Somebody who may take over a partition."""
        return StreamScorer(
            self.cluster, self.topics, FIRST_EDITION, partition, load_published, snapshots=snapshots, counts=counts
        )

    def score_all(self, scorer: StreamScorer) -> int:
        """Take the partition over and score and commit what its journal has; how many pages that were."""
        start = scorer.take_over()
        scored = sum(scorer.score(record) for record in self.pages(scorer.partition, start))
        scorer.commit()
        scorer.release()
        self.settle()
        return scored

    @contextmanager
    def process(self, command: str, *, code: str = MAIN) -> Iterator[Process]:
        """`tallybook COMMAND` on this stream, as a process that is killed in the end; `code` stands for the program.

        It must leave nothing in the folder that it is begun in.
        """
        begun_in = self.root / "begun-in"
        begun_in.mkdir(exist_ok=True)
        with (self.root / f"{command}.log").open("a+b") as log:
            running = subprocess.Popen(
                [sys.executable, "-c", code, "-C", str(self.root), command, "--instance", "test"],
                cwd=begun_in,
                env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                yield Process(running, self.root / f"{command}.log")
            finally:
                running.kill()
                running.wait(MAX_WAIT_SECONDS)
            assert not list(begun_in.iterdir()), "a stage left something in the folder that it was begun in"


class Process:
    """A stage that runs by itself."""

    def __init__(self, running: subprocess.Popen[bytes], log: Path) -> None:
        self._running = running
        self._log = log

    def said(self) -> str:
        """All that it has said."""
        return self._log.read_text("utf-8", "replace")

    def kill(self) -> None:
        """End it at once."""
        self._running.kill()
        self._running.wait(MAX_WAIT_SECONDS)

    def ask_to_stop(self) -> None:
        """Send it SIGTERM."""
        self._running.terminate()

    def has_ended(self) -> bool:
        """Whether it runs no more."""
        return self._running.poll() is not None

    def ended(self) -> int:
        """Its exit code, once it has ended by itself."""
        return self._running.wait(MAX_WAIT_SECONDS)

    def wait_until(self, what: str, condition: Callable[[], object]) -> None:
        """Wait for something that it is to do; it must not end meanwhile."""

        def look() -> object:
            assert self._running.poll() is None, f"ended with {self._running.returncode}: {self.said()}"
            return condition()

        try:
            wait_for(what, look)
        except AssertionError as missing:
            raise AssertionError(f"{missing}\n{self.said()}") from None
