"""What must hold of a simulated deployment at its end, however often its processes died on the way."""

from collections import Counter
from typing import NamedTuple, cast

from books.kafka.cluster import Cluster
from books.kafka.log import KafkaLogReader
from books.kafka.records import Place
from processors.intake.door import admit_json
from processors.intake.refusal import Refusal
from processors.replay.verify import verify_books
from processors.stream.ticker import MAX_HELD_BACK_MS
from projections.projector import Projector
from projections.store import Store
from schemas.canonical import printed_digest
from schemas.facts import ClockTicked, PublishedFact, members_of
from schemas.posting import FIRST_EDITION, Posting
from schemas.topics import Topics
from tests.fakes.store import FakeStore
from tests.property.histories import compared
from tests.reference.ledger import ReferenceLedger
from tests.simulation.laws import require
from tests.support.deciders import load

# How far a projector came is told for monitoring, and a zombie may count its records twice.
NOT_AN_ANSWER = ("progress",)


class Message(NamedTuple):
    """What a publisher sent: where it stands, its bytes, and the fact if it is one."""

    place: Place
    offset: int
    value: bytes | None
    fact: PublishedFact | None


def audit(cluster: Cluster, topics: Topics, messages: list[Message], store: FakeStore) -> int:
    """All laws; how many ticks there were. Raises LawBroken."""
    log = KafkaLogReader(cluster, topics, FIRST_EDITION)
    _every_message_once(log, messages)
    ticks = _ticks(log)
    found = verify_books(log, FIRST_EDITION, load)
    require(not found.differences, "the ledger follows from the journal", first=found.shown[:1])
    require(found.unscored == 0, "everything is scored", unscored=found.unscored)
    batches = [log.last_batch(FIRST_EDITION, partition) for partition in range(log.partitions)]
    last = [batch[1] for batch in batches if batch is not None]
    require(len(last) == log.partitions, "every partition has been scored")
    for what, mine, theirs in (
        ("journal", [batch.journal_digest for batch in last], found.journal_digest),
        ("ledger", [batch.ledger_digest for batch in last], found.ledger_digest),
    ):
        require(printed_digest([bytes.fromhex(one) for one in mine]) == theirs, f"the {what}'s digest is the stream's")
    _the_reference_agrees(log)
    _tables_are_those_of_the_books(log, store)
    return ticks


def _every_message_once(log: KafkaLogReader, messages: list[Message]) -> None:
    journalled: Counter[tuple[str, int, str | None]] = Counter()
    for partition in range(log.partitions):
        for _, page in log.read_journal(partition):
            for line in page.lines:
                if line.record:
                    journalled[page.inputs[line.input], line.record, line.member_id] += 1
    refused = Counter((reject.input, reject.record) for _, batch in log.read_rejects() for reject in batch)
    for message in messages:
        name, record = f"{message.place.topic}/{message.place.partition}", message.offset + 1
        where = f"{name} at {message.offset}"
        admitted = admit_json(message.value) if message.value else None
        if admitted is None or isinstance(admitted, Refusal):
            require(refused.pop((name, record), 0) == 1, "what is wrong is refused once", at=where)
            continue
        for member_id in members_of(admitted):
            times = journalled.pop((name, record, member_id), 0)
            require(times == 1, "every fact is journalled once", at=where, member=member_id, times=times)
    require(not journalled, "nothing is journalled that nobody sent", first=sorted(map(str, journalled))[:3])
    require(not refused, "nothing is refused that nobody sent", first=sorted(refused)[:3])


def _ticks(log: KafkaLogReader) -> int:
    """Ticks go forward, are the same everywhere, and pass no fact that was still to be taken in."""
    all_ticks = []
    for partition in range(log.partitions):
        ticks: list[int] = []
        ticked_at = 0
        for _, page in log.read_journal(partition):
            for line in page.lines:
                if isinstance(line.fact, ClockTicked):
                    require(not ticks or ticks[-1] < line.fact.at, "ticks go forward", partition=partition)
                    ticks.append(line.fact.at)
                    ticked_at = line.received_at
                elif line.record and ticks:
                    passed = line.received_at < ticks[-1] and ticked_at - line.received_at <= MAX_HELD_BACK_MS
                    require(not passed, "no tick passes a fact that waits", partition=partition, tick=ticks[-1])
        all_ticks.append(ticks)
    require(all(ticks == all_ticks[0] for ticks in all_ticks), "ticks are the same in all partitions")
    return len(all_ticks[0])


def _the_reference_agrees(log: KafkaLogReader) -> None:
    for partition in range(log.partitions):
        reference = ReferenceLedger(log.opened())
        postings = [posting for _, batch in log.read_ledger(FIRST_EDITION, partition) for posting in batch]
        by_line: dict[tuple[int, int], list[Posting]] = {}
        for posting in postings:
            by_line.setdefault((posting.page, posting.line), []).append(posting)
        numbers = [posting.number for posting in postings]
        require(numbers == list(range(1, len(numbers) + 1)), "postings have no gap", partition=partition)
        for _, page in log.read_journal(partition):
            for at, line in enumerate(page.lines):
                expected = reference.feed(line)
                got = [compared(posting) for posting in by_line.pop((page.page, at), [])]
                require(got == expected, "the reference ledger agrees", partition=partition, page=page.page, line=at)
        require(not by_line, "every posting has its line", partition=partition)


def _tables_are_those_of_the_books(log: KafkaLogReader, store: FakeStore) -> None:
    fresh = FakeStore()
    Projector(log, cast(Store, fresh), FIRST_EDITION).project()
    for table, rows in fresh.tables.items():
        if table not in NOT_AN_ANSWER:
            same = store.tables[table] == rows
            require(same, "the tables are those of a fresh projection", table=table)
