"""Power fails in the midst of an import: whatever the disk has kept, it goes on and ends with the same books."""

from pathlib import Path
from random import Random

import pytest

from books.files.consumed import NO_CACHE
from books.files.reader import FileLogReader
from books.files.writer import FileLogWriter
from processors.embedded.partition_group import LocalPartitionGroup
from processors.embedded.rounds import Rounds
from processors.intake.input_files import open_input
from processors.intake.merge import gather
from processors.replay.recovery import recover_partition
from schemas.bounds import DAY_MS
from schemas.facts import JournalOpened
from schemas.posting import FIRST_EDITION
from tallybook.folder.import_files import Importer
from tallybook.folder.recovered_partitions import new_scorers
from tests.fakes.books import FOLDER, HOLDER, MemoryBooks
from tests.fakes.disk import DiedError, FakeDisk
from tests.support.deciders import load, published
from tests.support.small_imports import NOW, PARTITIONS, RULES, START, random_facts, write_lines

OPENED = JournalOpened("imports", 1, PARTITIONS, 0, 90 * DAY_MS, 30 * DAY_MS, START)
SEEDS = range(2)
STEP = 4  # between two effects at which power fails; the seeds begin apart
Digests = tuple[tuple[str, ...], tuple[str, ...], int]


def new_disk() -> FakeDisk:
    disk = MemoryBooks(OPENED).disk
    disk.effects.clear()
    return disk


def take(disk: FakeDisk, file: Path) -> None:
    """One import from its start to its end, committing after every round."""
    with FileLogWriter(FOLDER, HOLDER, files=disk) as log:
        scorers = new_scorers(log, load, range(PARTITIONS))
        places = [recover_partition(log, FIRST_EDITION, scorer) for scorer in scorers]
        group = LocalPartitionGroup(log, scorers, FIRST_EDITION, places)
        rounds = Rounds(log, [group], group.last_tick, group.publications)
        if not rounds.publications:
            rounds.publish(published(RULES, "Europe/Berlin", version="1", effective_from=0), START)
        one = open_input(file)
        with gather([one], as_is=False, consumed=NO_CACHE.consumed(log)) as gathered:
            Importer(rounds, [one], now=NOW, horizon_ms=OPENED.horizon_ms, commit_facts=1).take_all(gathered.arrivals)


def digests(disk: FakeDisk) -> Digests:
    """Those of the last commit, and how many rejects are kept."""
    log = FileLogReader(FOLDER, files=disk)
    last = log.committed()
    return last.journal_digests, last.ledger_digests, sum(len(batch) for _, batch in log.read_rejects())


@pytest.mark.parametrize("seed", SEEDS)
def test_power_fails_at_any_effect(tmp_path: Path, seed: int) -> None:
    file = write_lines(tmp_path / "sales.jsonl", [b"no JSON", *random_facts(5, days=10, a_day=6), b'{"type":"?"}'])
    undisturbed = new_disk()
    take(undisturbed, file)
    expected, effects = digests(undisturbed), undisturbed.effects.total()
    deaths = 0
    for die_at in range(1 + seed, effects + 1, STEP):
        disk = new_disk()
        disk.rng, disk.die_at = Random(seed * 10_000 + die_at), die_at
        while True:  # it may fail again while the first failure is mended
            try:
                take(disk, file)
            except DiedError:
                deaths += 1
                disk.cut_power(Random(deaths))
                disk.die_at = die_at // 3 if deaths % 5 == 0 and die_at > 3 else None
            else:
                break
        assert digests(disk) == expected, f"power failed at effect {die_at}"
    assert deaths > 20
