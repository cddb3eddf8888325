"""One life of the writing process: it opens the books, takes acts in, and keeps snapshots, until it ends or dies."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from books.files.appender import FileAppender
from books.files.consumed import NO_CACHE
from books.files.writer import FileLogWriter
from books.log import LogWriter
from books.snapshots.store import SnapshotStore
from processors.embedded.partition_group import LocalPartitionGroup, Sealed
from processors.embedded.rounds import Rounds
from processors.intake.door import Judge, judge_time
from processors.intake.merge import gather
from processors.replay.recovery import recover_partition, save_snapshot
from schemas.pages import BookLength, RoundCommitted
from schemas.posting import FIRST_EDITION
from tallybook.folder.import_files import Importer
from tallybook.folder.publish_rules import publish_ruleset
from tallybook.folder.recovered_partitions import new_scorers
from tallybook.folder.refusals import Refusals
from tests.fakes.books import HOLDER
from tests.simulation.disk import SimulatedDisk
from tests.simulation.following import MemoryInbox, follow
from tests.simulation.plan import Act, Follow, Import, Publish
from tests.support.deciders import load

SHOP: Final = Path("/shop")
SNAPSHOTS: Final = SHOP / "snapshots"


class Acknowledged:
    """What the world was told: the last commit that returned, and whether one more was on its way."""

    def __init__(self, committed: RoundCommitted) -> None:
        self.last = committed
        self.on_its_way = False


class TellingWriter(FileLogWriter):
    """A writer whose commits are heard of."""

    acknowledged: Acknowledged

    def commit(self, committed: RoundCommitted, parts: Sequence[BookLength] = ()) -> RoundCommitted:
        """See LogWriter."""
        self.acknowledged.on_its_way = True
        sealed = super().commit(committed, parts)
        self.acknowledged.last, self.acknowledged.on_its_way = sealed, False
        return sealed


class SealingPartitionGroup(LocalPartitionGroup):
    """What a worker process does: it appends through a part of its own, and makes that durable when it is asked."""

    def __init__(self, part: FileAppender, scorers: Sequence[object], edition: str, places: Sequence[object]) -> None:
        super().__init__(part, scorers, edition, places)  # type: ignore[arg-type]  # handed through as they are
        self.part = part

    def sealed(self) -> Sealed:
        """See PartitionGroup."""
        return msgspec.structs.replace(super().sealed(), lengths=self.part.seal())


class Session:
    """Open books with recovered scorers, decided by one group, or by several that write through parts of their own."""

    def __init__(
        self, disk: SimulatedDisk, acknowledged: Acknowledged, snapshots: SnapshotStore | None, groups: int
    ) -> None:
        self.disk = disk
        self.log = TellingWriter(SHOP, HOLDER, files=disk)
        self.log.acknowledged = acknowledged
        self.walked = 0
        self.scorers = new_scorers(self.log, load)
        places = [
            recover_partition(self.log, FIRST_EDITION, scorer, snapshots, self._walked) for scorer in self.scorers
        ]
        self.groups: list[LocalPartitionGroup] = []
        self.parts: list[FileAppender] = []
        if groups == 1:
            self.groups.append(LocalPartitionGroup(self.log, self.scorers, FIRST_EDITION, places))
        else:
            for number in range(min(groups, len(self.scorers))):
                part = FileAppender(SHOP, files=disk)
                self.parts.append(part)
                self.groups.append(
                    SealingPartitionGroup(part, self.scorers[number::groups], FIRST_EDITION, places[number::groups])
                )
        first = self.groups[0]
        self.rounds = Rounds(self.log, self.groups, first.last_tick, first.publications)

    def _walked(self) -> None:
        self.walked += 1

    def save_snapshots(self, store: SnapshotStore) -> None:
        """Keep a snapshot of each partition; right after a commit only."""
        for group in self.groups:
            for scorer, place in zip(group.scorers, group.places(), strict=True):
                save_snapshot(store, self.log, FIRST_EDITION, scorer, place, commit_at=self.log.last_commit_at())

    def close(self) -> None:
        """End without dying."""
        for part in self.parts:
            part.close()
        self.log.close()

    def perform(self, act: Act, now: int, inboxes: dict[Follow, MemoryInbox]) -> None:
        """Take an act in, or what is left of it; what is to be followed lies in `inboxes`."""
        if isinstance(act, Publish):
            publish(self.rounds, act)
        elif isinstance(act, Import):
            import_files(self.log, self.rounds, act, now)
        else:
            inbox = inboxes[act]
            inbox.forget_process()
            follow(self.log, self.rounds, act, inbox)


def publish(rounds: Rounds, act: Publish) -> None:
    """Publish a version, if it is not in force already at that instant."""
    effective_from = max(act.effective_from, rounds.last_tick)
    publish_ruleset(rounds, act.version.text, load(act.version.text), effective_from=effective_from, now=act.now)
    if not rounds.is_empty:
        rounds.commit([])


def import_files(log: LogWriter, rounds: Rounds, act: Import, now: int) -> None:
    """Import as the command does."""
    past = NO_CACHE.past(log)
    refusals = Refusals(log, past)
    refused = refusals.of_inputs(past.read_among(one.sha256 for one in act.files))
    judge = _judge(log, rounds, now)
    with gather(act.files, as_is=act.as_is, consumed=past.consumed, refused=refused, judge=judge) as gathered:
        importer = Importer(
            rounds,
            act.files,
            now=now,
            horizon_ms=log.opened().horizon_ms,
            as_is=act.as_is,
            refusals=refusals,
            refused=refused,
            commit_facts=act.commit_facts,
        )
        importer.take_all(gathered.arrivals)


def _judge(log: LogWriter, rounds: Rounds, now: int) -> Judge:
    return partial(judge_time, received_at=now, last_tick=rounds.last_tick, horizon_ms=log.opened().horizon_ms, now=now)
