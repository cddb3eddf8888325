"""What must hold at the end, whatever was struck: nothing lost, nothing doubled, and every book says the same."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final

import msgspec

from books.files.reader import FileLogReader
from books.kafka.records import Place, Record
from books.log import LogReader
from processors.replay.verify import verify_books
from projections.audits.run import run_audits
from projections.clickhouse.client import open_server
from projections.clickhouse.migrate import migrate
from projections.projector import project
from schemas.facts import ClockTicked, JournalFact, RulesetPublished, members_of
from schemas.pages import Reject
from schemas.posting import FIRST_EDITION
from tallybook.folder.folder import load_published
from tests.chaos.events import NUMBER, Message
from tests.chaos.world import World
from tests.integration.clickhouses import ChdbOverHttp
from tests.sql.projected_books import answers
from tests.support.whole_books import (
    Coordinate,
    Journalled,
    LawBroken,
    journalled,
    lines_of,
    postings_of,
    reference_agrees,
    rejects_of,
    streamed_digests,
    without_positions,
)

MAX_SHOWN: Final = 5
POLL_RECORDS: Final = 5_000
POLL_SECONDS: Final = 1.0
MAX_POLLS: Final = 1_000


class Checked(msgspec.Struct):
    """What was looked at, and what is wrong with it (nothing, if all is well)."""

    records: int = 0
    lines: int = 0
    postings: int = 0
    rejects: int = 0
    ticks: int = 0
    expiries: int = 0
    lost: int = 0
    doubled: int = 0
    reasons: Counter[str] = msgspec.field(default_factory=Counter)
    digests: tuple[str, str] = ("", "")
    wrong: list[str] = []

    def found(self, what: str) -> None:
        """Note what is wrong."""
        self.wrong.append(what)


def check(world: World) -> Checked:
    """Hold the books, the tables and what was published against each other."""
    done = Checked()
    copy = world.scratch / "copy"
    world.stages.run("books", "copy", str(copy))
    log = FileLogReader(copy)
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        ("every record that was published, in the books once", lambda: _every_record_once(world, log, done)),
        ("numbers of the ledger, ticks of the journal", lambda: _numbers(log, done)),
        ("all decided again", lambda: _verified(world, log, done)),
        ("the reference ledger", lambda: reference_agrees(log)),
        ("audits", lambda: _audited(world, done)),
        ("a fresh projection", lambda: _as_a_fresh_projection(world, log, done)),
    )
    for name, step in steps:
        wrong = len(done.wrong)
        try:
            step()
        except LawBroken as broken:
            done.found(str(broken))
        world.say(f"      {'well ' if len(done.wrong) == wrong else 'WRONG'}  {name}")
    return done


def published(world: World) -> Iterator[Record]:
    """All records of the topics of facts."""
    cluster, topics = world.stream.cluster, world.stream.topics
    parts = cluster.partitions(topics.facts)
    places = [Place(topic, partition) for topic, count in parts.items() for partition in range(count)]
    left = {place for place, end in cluster.ends(places).items() if end}
    reader = cluster.reader()
    try:
        reader.set_on(dict.fromkeys(left, 0))
        for _ in range(MAX_POLLS):
            polled = reader.poll(POLL_RECORDS, POLL_SECONDS)
            yield from polled.records
            left -= polled.at_end.keys()
            if not left:
                return
    finally:
        reader.close()
    raise AssertionError(f"the ends of {sorted(left)} were not reached")


def _every_record_once(world: World, log: LogReader, done: Checked) -> None:
    sent = world.publishing.events.sent
    found = journalled(log)
    refused: dict[Coordinate, list[Reject]] = {}
    for reject in rejects_of(log):
        refused.setdefault((reject.input, reject.record), []).append(reject)
    arrived = dict(world.publishing.delivered)
    for record in published(world):
        done.records += 1
        message = sent[int(record.headers[NUMBER])]
        arrived.pop((record.topic, record.partition, record.offset), None)
        key = (f"{record.topic}/{record.partition}", record.offset + 1)
        if record.value != message.value:
            done.found(f"{key} holds other bytes than message {message.number}")
        _one_record(record, message, found, refused.pop(key, []), done)
    if arrived:
        done.found(f"{len(arrived)} messages that the broker took are gone, such as {next(iter(arrived.items()))}")
    for left, times in list(found.times.items())[:MAX_SHOWN]:
        done.found(f"{left} stands {times} times in the journal, and nobody sent it")
    for other in list(refused)[:MAX_SHOWN]:
        done.found(f"{other} stands in the rejects, and nobody sent it")
    for failed in world.publishing.failed[:MAX_SHOWN]:
        done.found(f"the publisher could not send {failed}")


def _one_record(record: Record, message: Message, found: Journalled, rejects: list[Reject], done: Checked) -> None:
    """A record stands once in the journal of each of its members, or once in the rejects with its coordinates."""
    key = (f"{record.topic}/{record.partition}", record.offset + 1)
    where = f"record {key[1]} of {key[0]} (message {message.number})"
    members = members_of(message.fact) if message.fact is not None else ()
    wanted = 0 if message.fact is not None else 1
    for times, due in [*((found.times.pop((*key, member), 0), 1) for member in members), (len(rejects), wanted)]:
        done.lost += times < due
        done.doubled += max(0, times - due)
        if times != due:
            done.found(f"{where} stands {times} times where {due} is due; refused: {[one.message for one in rejects]}")
    if message.fact is not None and found.facts.get(key, message.fact) != message.fact:
        done.found(f"{where} is journalled as {found.facts[key]}, and was {message.fact}")
    for reject in rejects if message.fact is None else ():
        coordinates = tuple(reject.headers.get(f"kafka.{name}") for name in ("topic", "partition", "offset"))
        if coordinates != (record.topic, str(record.partition), str(record.offset)):
            done.found(f"{where}: the reject says {coordinates}")
        if reject.reason != message.reason or reject.raw != (record.value or b""):
            done.found(f"{where} is refused for {reject.reason} and not {message.reason}: {reject.message}")


def _numbers(log: LogReader, done: Checked) -> None:
    """Postings count without gap and go forward in the journal; ticks and publications are the same everywhere."""
    times: list[list[JournalFact]] = []
    seqs: Counter[str] = Counter()
    for partition in range(log.partitions):
        facts = [line.fact for line in lines_of(log, partition)]
        times.append([fact for fact in facts if isinstance(fact, ClockTicked | RulesetPublished)])
        done.lines += len(facts)
        last = (-1, -1, -1)
        for number, posting in enumerate(postings_of(log, partition), 1):
            done.postings += 1
            done.reasons[str(posting.reason or "paid")] += 1
            done.expiries += sum(entry.type == "PointsExpired" for entry in posting.entries)
            seqs[posting.member_id] += 1
            folio = (posting.page, posting.line, posting.sub)
            if posting.number != number or posting.seq != seqs[posting.member_id] or folio <= last:
                what = f"number {posting.number}, seq {posting.seq}, folio {folio} after {last}"
                done.found(f"partition {partition}: posting {number} has {what}")
                break
            last = folio
    done.rejects = len(rejects_of(log))
    ticks = [fact.at for fact in times[0] if isinstance(fact, ClockTicked)]
    done.ticks = len(ticks)
    if any(other != times[0] for other in times):
        done.found("ticks and publications do not have one order in all partitions")
    if any(after <= before for before, after in pairwise(ticks)):
        done.found("ticks do not go forward")


def _verified(world: World, log: LogReader, done: Checked) -> None:
    verified = verify_books(log, FIRST_EDITION, load_published)
    for difference in verified.shown:
        done.found(f"verify: {difference}")
    if verified.unscored:
        done.found(f"verify: {verified.unscored} lines are not scored")
    done.digests = (verified.journal_digest, verified.ledger_digest)
    theirs = streamed_digests(world.stream.log())
    if theirs != done.digests:
        done.found(f"the stream's digests are {theirs}, decided again they are {done.digests}")


def _audited(world: World, done: Checked) -> None:
    with open_server(world.clickhouse.url) as store:
        for found in run_audits(store):
            if found.rows:
                done.found(f"audit {found.name} found {len(found.rows)} rows, such as {found.rows[0]}")


def _as_a_fresh_projection(world: World, log: LogReader, done: Checked) -> None:
    ours = world.answers()
    (world.scratch / "fresh").mkdir()
    with ChdbOverHttp(world.scratch / "fresh") as server, open_server(server.url) as store:
        migrate(store)
        project(log, store, FIRST_EDITION)
        theirs = answers(store)
    for view, expected in theirs.items():
        found, wanted = without_positions(view, ours[view]), without_positions(view, expected)
        if found != wanted:
            counts = f"{len(found)} rows, a fresh projection has {len(wanted)}"
            first = next((pair for pair in zip(found, wanted, strict=False) if pair[0] != pair[1]), "")
            done.found(f"view {view}: {counts}; first {first}")
