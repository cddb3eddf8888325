"""Whoever scores, recovers, verifies or explains an edition asks its layers, and not the publications alone."""

from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from books.files.reader import FileLogReader
from books.kafka import create
from books.kafka.cluster import Cluster
from books.kafka.log import KafkaLogReader
from books.snapshots.store import SnapshotStore
from processors.decider.partition_machine import PartitionMachine
from processors.replay.recovery import recover_partition
from processors.replay.verify import verify_books
from schemas.posting import FIRST_EDITION, EditionOpened, Posting, RuleLayer, RuleSpan
from tallybook.explain.member import explain_member
from tallybook.folder.recovered_partitions import new_scorers
from tests.fakes.books import FOLDER, MemoryBooks
from tests.reference.local_time import DAY_MS
from tests.stream_simulation.run import Deployment
from tests.support import small_imports as small
from tests.support.deciders import load, published
from tests.support.small_imports import MEMBERS, PARTITIONS, RULES, START, new_books, random_facts, take, write_lines
from tests.unit.processors.replay.test_recovery import CountsPages

TRIED = RULES.replace('version: "1"', 'version: "2"').replace("points: 40", "points: 15").replace("days: 3", "days: 2")
FROM = START + DAY_MS
LAYERS = (RuleLayer(1, (RuleSpan(FROM, published(TRIED, "Europe/Berlin", version="2", effective_from=FROM)),)),)


_edition = FileLogReader.edition


def lay(monkeypatch: pytest.MonkeyPatch, layers: tuple[RuleLayer, ...] = LAYERS) -> None:
    """From here on the one edition of all books in files has these layers."""
    monkeypatch.setattr(
        FileLogReader, "edition", lambda log, name: msgspec.structs.replace(_edition(log, name), layers=layers)
    )


def halves(folder: Path) -> list[Path]:
    first, second = random_facts(3, days=4, a_day=30), random_facts(4, days=4, a_day=30, first_day=4)
    return [write_lines(folder / name, [*facts]) for name, facts in (("first.jsonl", first), ("second.jsonl", second))]


def decided(books: MemoryBooks, layers: tuple[RuleLayer, ...]) -> list[list[Posting]]:
    """What the journal of some books comes to under layers, without numbers and places."""
    found = []
    for partition in range(PARTITIONS):
        machine = PartitionMachine(books.read().opened(), layers, load)
        found.append([bare(each) for line in small.journal(books, partition) for each in machine.feed(line)])
    return found


def bare(posting: Posting) -> Posting:
    return msgspec.structs.replace(posting, number=0, page=0, line=0, sub=0)


def written(books: MemoryBooks) -> list[list[Posting]]:
    return [[bare(each) for each in small.ledger(books, partition)] for partition in range(PARTITIONS)]


@pytest.mark.parametrize("kept", ["", "snapshots"])
def test_scoring_and_recovery_ask_the_layers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kept: str) -> None:
    """The second file is taken by a process that has to recover what the first one came to."""
    lay(monkeypatch)
    books = new_books()
    snapshots = SnapshotStore(tmp_path / kept) if kept else None
    for file in halves(tmp_path):
        take(books, [file], snapshots=snapshots)
    assert written(books) == decided(books, LAYERS)
    assert written(books) != decided(books, ())


def test_a_snapshot_under_other_layers_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not even where they have not come to hold yet, so that the ledger is the same."""
    books, snapshots = new_books(), SnapshotStore(tmp_path / "snapshots")
    take(books, halves(tmp_path)[:1], snapshots=snapshots)
    later = msgspec.structs.replace(LAYERS[0].spans[0], from_at=START + 100 * DAY_MS)
    pages = {}
    for name, layers in (("same", ()), ("other", (RuleLayer(1, (later,)),))):
        lay(monkeypatch, layers)
        log = CountsPages(FOLDER, files=books.disk)
        with closing(books.write()) as writer:
            scorers = new_scorers(writer, load)
        for scorer in scorers:
            recover_partition(log, FIRST_EDITION, scorer, snapshots)
        pages[name] = log.pages
    assert pages["same"] < pages["other"] / 2


def test_a_verification_decides_by_the_layers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lay(monkeypatch)
    books = new_books()
    take(books, halves(tmp_path))
    assert small.verified(books).differences == 0
    lay(monkeypatch, ())
    assert small.verified(books).differences > 0


def test_an_explanation_is_by_the_layers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lay(monkeypatch)
    books = new_books()
    take(books, halves(tmp_path))
    for member_id in MEMBERS:
        found = explain_member(books.read(), member_id, 100, lambda: None)
        assert found is not None
        assert {(limit.limit_id, limit.allows) for limit in found.limits} == {("a-day", 15)}


def test_a_stream_is_scored_and_verified_by_the_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: Any = partial(EditionOpened, layers=LAYERS)
    monkeypatch.setattr(create, "EditionOpened", opened)
    monkeypatch.setattr("projections.stream.projection.GAP_SECONDS", 0.0)  # time stands still: one is always due
    deployment = Deployment(5)
    deployment.run()
    log = KafkaLogReader(cast("Cluster", deployment.cluster), deployment.topics, FIRST_EDITION)
    assert log.edition(FIRST_EDITION).layers == LAYERS
    assert verify_books(log, FIRST_EDITION, load).differences == 0
    versions = {
        posting.ruleset_version
        for partition in range(log.partitions)
        for _, batch in log.read_ledger(FIRST_EDITION, partition)
        for posting in batch
        if posting.ruleset_version and posting.occurred_at >= FROM
    }
    assert versions == {"2"}
