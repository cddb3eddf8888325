"""Imports of a few random days into books in memory, by processes that may die between two commits."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Final

import msgspec

from books.files.consumed import NO_CACHE
from books.files.writer import FileLogWriter
from books.log import LogWriter
from books.snapshots.store import SnapshotStore
from processors.decider.accounts_digest import canonical_account
from processors.decider.rules.ruleset import Ruleset
from processors.embedded.partition_group import LocalPartitionGroup
from processors.embedded.rounds import Rounds
from processors.intake.input_files import Input, open_input
from processors.intake.mapping import ColumnMapping
from processors.replay.recovery import recover_partition, save_snapshot
from processors.replay.verify import Verified, verify_books
from schemas.bounds import DAY_MS
from schemas.facts import (
    CheckedIn,
    JournalFact,
    JournalOpened,
    PublishedFact,
    PurchaseLine,
    PurchaseRecorded,
    ReferralMade,
)
from schemas.pages import BookLength, JournalLine, JournalPage, Reject, RoundCommitted
from schemas.posting import FIRST_EDITION, Posting
from tallybook.folder.import_files import Imported, Importer
from tallybook.folder.older_records import OlderRecords
from tallybook.folder.recovered_partitions import new_scorers
from tallybook.folder.refusals import Refusals
from tallybook.folder.refused_in_parts import RefusedInParts
from tests.fakes.books import FOLDER, HOLDER, MemoryBooks
from tests.reference.local_time import HOUR_MS
from tests.support.deciders import load, published
from tests.support.whole_books import lines_of, pages_of, postings_of, printed_digests, rejects_of

START: Final = 1_774_310_400_000  # 2026-03-24T00:00:00Z
NOW: Final = START + 100 * DAY_MS
PARTITIONS: Final = 3
MEMBERS: Final = tuple(f"m-{number}" for number in range(9))
RULES: Final = """\
programme: imports
version: "1"
timezone: Europe/Berlin
currency: EUR
expiry: {kind: rolling, days: 3}
limits:
  - {id: a-day, per: day, points: 40}
rules:
  - {id: base, kind: spend, points: 1, per_minor: 100, limits: [a-day]}
  - {id: streak, kind: streak, daily: 2, steps: [{day: 2, bonus: 5}], beyond: repeat}
  - {id: friends, kind: referral, referrer_points: 50, referee_points: 20, claim_ranks: [1, 2]}
"""


class Died(Exception):
    """The importing process is gone."""


class DiesAfter(FileLogWriter):
    """A writer whose process dies instead of making one commit more than `commits`."""

    def __init__(self, books: MemoryBooks, commits: int) -> None:
        super().__init__(FOLDER, HOLDER, files=books.disk)
        self._left = commits

    def commit(self, committed: RoundCommitted, parts: Sequence[BookLength] = ()) -> RoundCommitted:
        if self._left == 0:
            raise Died
        self._left -= 1
        return super().commit(committed, parts)


def new_books(horizon_days: int = 90, *, opened_at: int = START, partitions: int = PARTITIONS) -> MemoryBooks:
    """Books that hold the publication of RULES, in force since ever."""
    opened = JournalOpened("imports", 1, partitions, 0, horizon_days * DAY_MS, 30 * DAY_MS, opened_at)
    books = MemoryBooks(opened)
    rounds = rounds_of(books.write())
    rounds.publish(published(RULES, "Europe/Berlin", version="1", effective_from=0), opened_at)
    rounds.commit([])
    rounds.log.close()
    return books


def rounds_of(
    log: LogWriter, snapshots: SnapshotStore | None = None, *, load: Callable[[str], Ruleset] = load
) -> Rounds:
    """The rounds of open books, decided in this very process by scorers that were recovered to their end."""
    scorers = new_scorers(log, load)
    places = [recover_partition(log, FIRST_EDITION, scorer, snapshots) for scorer in scorers]
    group = LocalPartitionGroup(log, scorers, FIRST_EDITION, places)
    return Rounds(log, [group], group.last_tick, group.publications)


def take(
    books: MemoryBooks,
    files: Sequence[Path],
    *,
    as_is: bool = False,
    commit_facts: int = 1,
    log: FileLogWriter | None = None,
    dies_after: int | None = None,
    snapshots: SnapshotStore | None = None,
    mapping: ColumnMapping | None = None,
) -> Imported:
    """Import files as the command does, committing at the end of every round; snapshots are used and made if given.

    Raises:
        Died: after `dies_after` commits; the books then hold these commits.
    """
    log = log or (books.write() if dies_after is None else DiesAfter(books, dies_after))
    try:
        rounds = rounds_of(log, snapshots)
        inputs: list[Input] = [open_input(file, mapping=mapping) for file in files]
        past = NO_CACHE.past(log)
        refusals = Refusals(log, past)
        refused = refusals.of_inputs(past.read_among(one.sha256 for one in inputs))
        horizon_ms = log.opened().horizon_ms
        older = OlderRecords(rounds.last_tick, horizon_ms, NOW)
        importer = Importer(
            rounds,
            inputs,
            now=NOW,
            horizon_ms=horizon_ms,
            as_is=as_is,
            older=older,
            in_parts=RefusedInParts(log, past),
            refusals=refusals,
            refused=refused,
            commit_facts=commit_facts,
        )
        with importer.gather(past.consumed) as gathered:
            older.look_up(log, gathered.survey)
            done = importer.take_all(gathered.arrivals)
        if snapshots is not None:
            (group,) = rounds.groups
            assert isinstance(group, LocalPartitionGroup)
            for scorer, place in zip(group.scorers, group.places(), strict=True):
                save_snapshot(snapshots, log, FIRST_EDITION, scorer, place, commit_at=log.last_commit_at())
        return done
    finally:
        books.die()


def write_lines(file: Path, lines: Sequence[bytes | PublishedFact]) -> Path:
    """A file of JSON lines: facts, and bytes as they are."""
    encoded = [line if isinstance(line, bytes) else msgspec.json.encode(line) for line in lines]
    file.write_bytes(b"".join(line + b"\n" for line in encoded))
    return file


def random_facts(seed: int, *, days: int = 8, a_day: int = 12, first_day: int = 0) -> list[PublishedFact]:
    """Facts of some days in order of time: purchases (of guests too, and with referrers), check-ins, referrals."""
    rng = Random(seed)
    instants = sorted(
        START + (first_day + day) * DAY_MS + rng.choice((0, rng.randrange(DAY_MS), rng.randrange(24) * HOUR_MS))
        for day in range(days)
        for _ in range(rng.randrange(a_day + 1))
    )
    return [_random_fact(rng, f"{seed}-{number}", at) for number, at in enumerate(instants)]


def _random_fact(rng: Random, event_id: str, at: int) -> PublishedFact:
    kind = rng.random()
    if kind < 0.55:
        return PurchaseRecorded(
            source="pos",
            event_id=event_id,
            occurred_at=at,
            order_id=f"o-{event_id}",
            currency="EUR",
            lines=(PurchaseLine("A", rng.choice((0, 99, 100, 1250, 6000))),),
            member_id=None if rng.random() < 0.1 else rng.choice(MEMBERS),
            referrer_id=rng.choice(MEMBERS) if rng.random() < 0.2 else None,
            attributes=dict.fromkeys(rng.sample(("a", "b", "c"), 2), "x"),
        )
    if kind < 0.8:
        return CheckedIn("app", event_id, at, rng.choice(MEMBERS))
    referrer, referee = rng.sample(MEMBERS, 2)
    return ReferralMade("crm", event_id, at, referrer, referee)


def journal(books: MemoryBooks, partition: int) -> list[JournalLine]:
    """The committed lines of a partition."""
    return lines_of(books.read(), partition)


def lines_in(books: MemoryBooks) -> list[JournalLine]:
    """The committed lines of all partitions, one partition after another."""
    log = books.read()
    return [line for partition in range(log.partitions) for line in lines_of(log, partition)]


def received(books: MemoryBooks) -> dict[str, int]:
    """When each published fact reached the books."""
    return {line.fact.event_id: line.received_at for line in lines_in(books) if isinstance(line.fact, PublishedFact)}


def facts_in(books: MemoryBooks) -> list[JournalFact]:
    """The facts of all partitions, one partition after another."""
    return [line.fact for line in lines_in(books)]


def ledger(books: MemoryBooks, partition: int) -> list[Posting]:
    """The committed postings of a partition."""
    return postings_of(books.read(), partition)


def postings_in(books: MemoryBooks) -> list[Posting]:
    """The committed postings of all partitions, one partition after another."""
    log = books.read()
    return [posting for partition in range(log.partitions) for posting in postings_of(log, partition)]


def rejects_in(books: MemoryBooks) -> list[Reject]:
    """The committed rejects."""
    return rejects_of(books.read())


def rewrite(
    books: MemoryBooks,
    *,
    pages: Mapping[int, Sequence[JournalPage]] = MappingProxyType({}),
    postings: Mapping[int, Sequence[Posting]] = MappingProxyType({}),
    committed: RoundCommitted | None = None,
) -> None:
    """Write the books anew, with other pages or postings in some partitions, and perhaps another last commit."""
    old = books.read()
    journals = {n: pages_of(old, n) for n in range(old.partitions)} | dict(pages)
    ledgers = {n: ledger(books, n) for n in range(old.partitions)} | dict(postings)
    books.disk = MemoryBooks(books.opened).disk
    with books.write() as log:
        for partition in range(old.partitions):
            for page in journals[partition][1:]:
                log.append_page(partition, page)
            log.append_postings(FIRST_EDITION, partition, ledgers[partition])
        log.commit(msgspec.structs.replace(committed or old.committed(), number=0))


def digests(books: MemoryBooks) -> tuple[str, str]:
    """The printed digests of journal and ledger, as the last commit has them."""
    last = books.read().committed()
    return printed_digests(last.journal_digests, last.ledger_digests)


def accounts(books: MemoryBooks, snapshots: SnapshotStore | None = None) -> list[list[bytes]]:
    """Every partition's accounts in the order in which they were opened, in canonical form."""
    scorers = new_scorers(books.write(), load)
    log = books.read()
    for scorer in scorers:
        recover_partition(log, FIRST_EDITION, scorer, snapshots)
    books.die()
    machines = [scorer.machine for scorer in scorers]
    return [[canonical_account(machine.partition, one) for one in machine.accounts] for machine in machines]


def verified(books: MemoryBooks) -> Verified:
    """What a verification of the books finds."""
    return verify_books(books.read(), FIRST_EDITION, load)
