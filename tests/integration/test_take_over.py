"""A partition has one scorer: who takes it over fences the last, stands where the ledger ends, and doubles nothing."""

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

import msgspec
import pytest

from books.kafka.errors import Fenced
from books.kafka.messages import batch_of, page_of
from books.kafka.records import Place
from books.snapshots.shared import UrlPlace
from books.snapshots.store import SnapshotHeader, SnapshotStore
from processors.decider.accounts_digest import accounts_digest
from processors.partition_scorer import PartitionScorer
from processors.stream.scoring import BATCH_BYTES, StreamScorer
from processors.stream.stage_counts import StageCounts
from schemas.bounds import MAX_ID_LENGTH
from schemas.facts import ClockTicked, PurchaseLine, PurchaseRecorded, RefereePurchased
from schemas.pages import MAX_PAGE_LINES
from schemas.partitions import partition_of
from schemas.posting import FIRST_EDITION, EntryType
from tests.integration.small_stream import DAY_MS, OPENED_AT, PARTITIONS, SmallStream, members_in

RULES = """\
programme: corner-shop
version: "1"
timezone: Europe/Berlin
currency: EUR
expiry: {kind: rolling, days: 10}
rules:
  - {id: base, kind: spend, points: 1, per_minor: 100}
  - {id: friends, kind: referral, referrer_points: 100, referee_points: 50, min_amount_minor: 100}
"""
ANN, BOB = islice(members_in(0), 2)
# With ids of the greatest length, a tick's postings for so many accounts make more than one batch.
ACCOUNTS = 4_000


def purchase(n: int, member_id: str, referrer_id: str | None = None) -> PurchaseRecorded:
    lines = (PurchaseLine("tea", 500),)
    event_id = f"sale-{n}"
    return PurchaseRecorded("pos", event_id, OPENED_AT + n, event_id, "EUR", lines, member_id, referrer_id=referrer_id)


@pytest.fixture
def stream(bootstrap: str, deployment: str, tmp_path: Path) -> SmallStream:
    made = SmallStream(bootstrap, deployment, tmp_path)
    made.publish_rules(RULES)
    return made


@pytest.fixture
def snapshots(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "snapshots")


def standing(state: PartitionScorer | None) -> tuple[object, ...]:
    """All that tells where a state stands, and with which accounts."""
    assert state is not None
    machine = state.machine
    digests = (state.journal_digest, state.ledger_digest, accounts_digest(machine))
    versions = [published.version for published in machine.partition.publications]
    return (state.partition, state.number, state.page, state.last_tick, versions, *digests)


def score(stream: SmallStream, scorer: StreamScorer, start: int) -> None:
    for record in stream.pages(scorer.partition, start):
        scorer.score(record)


def test_who_is_fenced_leaves_nothing_and_may_come_back(stream: SmallStream) -> None:
    stream.write_page(0, [purchase(1, ANN), purchase(2, BOB)])
    first, second = stream.scorer(0), stream.scorer(0)
    start = first.take_over()
    score(stream, first, start)
    assert second.take_over() == start
    with pytest.raises(Fenced):
        first.commit()
    stream.settle()
    assert stream.postings(0) == []
    assert (first.state, first.counts.transactions) == (None, 0)

    score(stream, second, start)
    second.commit()
    stream.settle()
    assert stream.events(0) == ["sale-1", "sale-2"]

    stream.write_page(0, [purchase(3, ANN)])
    assert first.take_over() == second.committed_page + 1
    score(stream, first, 0)  # what the ledger has already is passed by
    score(stream, second, 0)
    with pytest.raises(Fenced):
        second.commit()
    first.commit()
    stream.settle()
    assert stream.events(0) == ["sale-1", "sale-2", "sale-3"]
    assert [posting.number for posting in stream.postings(0)] == [1, 2, 3]
    fresh = stream.scorer(0)
    fresh.take_over()
    assert standing(fresh.state) == standing(first.state)


def test_a_commit_on_its_way_when_the_next_one_comes_is_none(stream: SmallStream) -> None:
    stream.write_page(0, [purchase(1, ANN)])
    first, second = stream.scorer(0), stream.scorer(0)
    score(stream, first, first.take_over())
    producer = first._producer
    assert producer is not None
    producer.begin()
    for message in first._batches(first.state or PartitionScorer(0, stream.opened, (), first._load)):
        producer.send(stream.topics.ledger(FIRST_EDITION), message, partition=0)
    producer.flush()
    start = second.take_over()
    assert start == 0  # nothing is scored, whatever lies there uncommitted
    with pytest.raises(Fenced):
        producer.commit()
    stream.settle()
    score(stream, second, start)
    second.commit()
    stream.settle()
    assert stream.events(0) == ["sale-1"]


def test_a_desk_that_comes_back_unchanged_reads_nothing_again(stream: SmallStream) -> None:
    stream.write_page(0, [purchase(1, ANN)])
    scorer, read = stream.scorer(0), list[int]()
    score(stream, scorer, scorer.take_over())
    scorer.commit()
    scorer.release()
    stream.settle()
    state, at = scorer.state, scorer.committed_page
    assert scorer.take_over(lambda: read.append(1)) == at + 1
    assert scorer.state is state
    assert read == []
    scorer.release()

    stream.write_page(0, [purchase(2, ANN)])
    assert stream.score_all(stream.scorer(0)) == 1
    scorer.take_over(lambda: read.append(1))
    assert scorer.state is not state  # the ledger has gone on without it
    assert len(read) == 4  # the opening, the rules and two purchases
    assert scorer.state is not None
    assert scorer.state.number == 2


def with_snapshot(stream: SmallStream, snapshots: SnapshotStore) -> None:
    """A page that is scored and in the snapshot, and one behind it that is scored and is not."""
    scorer = stream.scorer(0, snapshots)
    stream.write_page(0, [purchase(n, (ANN, BOB)[n % 2]) for n in range(20)])
    stream.score_all(scorer)
    assert scorer.keep_snapshot()
    assert not scorer.keep_snapshot()  # nothing is new
    stream.write_page(0, [purchase(20, ANN), ClockTicked(OPENED_AT + 11 * DAY_MS)])
    stream.score_all(stream.scorer(0))


@pytest.mark.parametrize("shared", [False, True])
def test_a_snapshot_gives_the_same_desk_sooner(
    stream: SmallStream, snapshots: SnapshotStore, tmp_path: Path, *, shared: bool
) -> None:
    if shared:
        snapshots = SnapshotStore(UrlPlace(f"file://{tmp_path}/shared"))
    with_snapshot(stream, snapshots)
    read: list[str] = []
    without, with_one = stream.scorer(0), stream.scorer(0, snapshots)
    start = without.take_over(lambda: read.append("without"))
    assert with_one.take_over(lambda: read.append("with")) == start
    assert standing(with_one.state) == standing(without.state)
    assert Counter(read) == {"without": 24, "with": 2}
    for n, scorer in enumerate((without, with_one)):  # and they go on alike
        scorer.take_over()
        stream.write_page(0, [purchase(21 + n, BOB)])
        score(stream, scorer, 0)
        scorer.commit()
        stream.settle()
    numbers = [posting.number for posting in stream.postings(0)]
    assert numbers == list(range(1, len(numbers) + 1))
    fresh = stream.scorer(0)
    fresh.take_over()
    assert standing(fresh.state) == standing(with_one.state)


def changes() -> Iterable[tuple[str, Callable[[SnapshotHeader], SnapshotHeader]]]:
    def change(**fields: object) -> Callable[[SnapshotHeader], SnapshotHeader]:
        return lambda header: msgspec.structs.replace(header, **fields)

    yield "another ledger digest", change(ledger_digest="ab" * 32)
    yield "another journal digest", change(journal_digest="ab" * 32)
    yield "a batch that is not there", change(commit_at=0)
    yield "a place beyond the ledger", change(commit_at=1_000_000)
    yield "the batch behind it", lambda header: msgspec.structs.replace(header, commit_at=header.commit_at + 2)


def test_a_snapshot_with_which_the_ledger_disagrees_is_disregarded(
    stream: SmallStream, snapshots: SnapshotStore
) -> None:
    with_snapshot(stream, snapshots)
    kept = snapshots.load(FIRST_EDITION, 0)
    assert kept is not None
    header, payload = kept
    for name, change in changes():
        snapshots.save(FIRST_EDITION, 0, payload, change(header))
        read: list[str] = []
        scorer = stream.scorer(0, snapshots)
        scorer.take_over(lambda: read.append("a line"))  # noqa: B023 - called within this turn alone
        assert len(read) == 24, name
    snapshots.save(FIRST_EDITION, 0, payload[:-1], header)
    torn = stream.scorer(0, snapshots)
    torn.take_over()
    snapshots.remove(FIRST_EDITION, 0)
    without = stream.scorer(0, snapshots)
    without.take_over()
    assert standing(torn.state) == standing(without.state)


def test_the_snapshot_of_another_deployment_is_disregarded(
    stream: SmallStream, snapshots: SnapshotStore, bootstrap: str, deployment: str, tmp_path: Path
) -> None:
    with_snapshot(stream, snapshots)
    other = SmallStream(bootstrap, f"{deployment}-b", tmp_path / "other")
    other.publish_rules(RULES)
    with_snapshot(other, SnapshotStore(tmp_path / "unused"))
    read: list[str] = []
    scorer = other.scorer(0, snapshots)  # the digests are the same, the constants in the snapshot are not
    scorer.take_over(lambda: read.append("a line"))
    assert len(read) == 24


def test_each_fact_that_a_page_of_500_lines_owes_stands_once(stream: SmallStream) -> None:
    here, there = members_in(0), members_in(1)
    referees = list(islice(here, MAX_PAGE_LINES))
    referrers = [next((here, there)[n % PARTITIONS]) for n in range(MAX_PAGE_LINES)]
    sales = [purchase(n, mine, other) for n, (mine, other) in enumerate(zip(referees, referrers, strict=True))]
    stream.write_page(0, sales)
    fenced, scorer = stream.scorer(0), stream.scorer(0)
    score(stream, fenced, fenced.take_over())
    start = scorer.take_over()
    with pytest.raises(Fenced):
        fenced.commit()
    score(stream, scorer, start)
    scorer.commit()
    stream.settle()

    owed = Counter(fact for posting in stream.postings(0) for fact in posting.owed)
    assert len(owed) == 2 * MAX_PAGE_LINES  # to both sides of each
    assert set(owed.values()) == {1}
    assert derived_facts(stream) == owed
    for partition in range(PARTITIONS):
        stream.score_all(stream.scorer(partition))
    assert derived_facts(stream) == owed  # derived facts owe nothing
    paid = Counter(
        entry.points
        for partition in range(PARTITIONS)
        for posting in stream.postings(partition)
        if posting.fact_type == "RefereePurchased"
        for entry in posting.entries
        if entry.type == EntryType.POINTS_AWARDED
    )
    assert paid == {100: MAX_PAGE_LINES, 50: MAX_PAGE_LINES}


def derived_facts(stream: SmallStream) -> Counter[RefereePurchased]:
    """How often each derived fact stands in the journal; each in its member's partition, on pages of due size."""
    found: Counter[RefereePurchased] = Counter()
    for partition in range(PARTITIONS):
        for record in stream.pages(partition):
            lines = page_of(record).lines
            assert len(lines) <= MAX_PAGE_LINES
            derived = [line.fact for line in lines if isinstance(line.fact, RefereePurchased)]
            assert all(partition_of(fact.member_id, PARTITIONS) == partition for fact in derived)
            found.update(derived)
    return found


def test_a_tick_with_more_postings_than_a_batch_holds_is_one_transaction(stream: SmallStream) -> None:
    members = list(islice(members_in(0, length=MAX_ID_LENGTH), ACCOUNTS))
    for first in range(0, ACCOUNTS, MAX_PAGE_LINES):
        stream.write_page(0, [purchase(n, members[n]) for n in range(first, first + MAX_PAGE_LINES)])
    counts = StageCounts()
    scorer = stream.scorer(0, counts=counts)
    stream.score_all(scorer)
    before = scorer.committed_page
    ledger = Place(stream.topics.ledger(FIRST_EDITION), 0)
    end = stream.cluster.ends([ledger])[ledger]
    stream.write_page(0, [ClockTicked(OPENED_AT + 20 * DAY_MS)])
    transactions = counts.transactions
    assert stream.score_all(scorer) == 1
    assert counts.transactions == transactions + 1

    records = stream.records(ledger, end)
    batches = [batch for record in records if (batch := batch_of(record)) is not None]
    assert len(batches) > 1
    offsets = [record.offset for record in records]
    assert offsets == list(range(end, end + len(offsets)))  # no marker between them: they are of one transaction
    assert all(len(record.value or b"") < BATCH_BYTES + 10_000 for record in records)
    assert [batch.scored_page for batch in batches[:-1]] == [before] * (len(batches) - 1)
    assert batches[-1].scored_page == scorer.committed_page > before
    expired = [posting for batch in batches for posting in batch.postings]
    assert [posting.number for posting in expired] == list(range(ACCOUNTS + 1, 2 * ACCOUNTS + 1))
    assert [posting.member_id for posting in expired] == sorted(members)
    assert [posting.sub for posting in expired] == list(range(ACCOUNTS))
    assert {posting.balance for posting in expired} == {0}
    fresh = stream.scorer(0)
    fresh.take_over()
    assert standing(fresh.state) == standing(scorer.state)
