"""Reads whole books into lists, and holds them against laws that every run must keep, whatever disturbed it."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from books.files.reader import FileLogReader
from books.kafka.log import KafkaLogReader
from books.log import LogReader
from schemas.canonical import printed_digest
from schemas.facts import JournalFact, PublishedFact, members_of
from schemas.pages import JournalLine, JournalPage, Reject
from schemas.posting import FIRST_EDITION, Posting
from tests.property.histories import compared
from tests.reference.ledger import ReferenceLedger

Coordinate = tuple[str, int]
"""An input (SHA-256, or topic/partition) and a record in it, from 1."""


class LawBroken(Exception):
    """A law does not hold; the message says which, and where."""


def require(holds: bool, law: str, **where: object) -> None:  # noqa: FBT001 - the one thing that it is about
    """Raises LawBroken unless it holds."""
    if not holds:
        at = ", ".join(f"{name} {value}" for name, value in where.items())
        raise LawBroken(f"{law} ({at})" if at else law)


def pages_of(log: LogReader, partition: int, start: int = 0) -> list[JournalPage]:
    """The pages of a partition from a position on."""
    return [page for _, page in log.read_journal(partition, start)]


def lines_of(log: LogReader, partition: int) -> list[JournalLine]:
    """The journal lines of a partition."""
    return [line for page in pages_of(log, partition) for line in page.lines]


def postings_of(log: LogReader, partition: int, edition: str = FIRST_EDITION, start: int = 0) -> list[Posting]:
    """The postings of a partition from a position on."""
    return [posting for _, batch in log.read_ledger(edition, partition, start) for posting in batch]


def rejects_of(log: LogReader, start: int = 0) -> list[Reject]:
    """The rejects from a position on."""
    return [reject for _, batch in log.read_rejects(start) for reject in batch]


def printed_digests(journal: Iterable[str], ledger: Iterable[str]) -> tuple[str, str]:
    """The digests of journal and ledger as they are printed, from those of their partitions."""
    journal_digest, ledger_digest = (printed_digest([bytes.fromhex(one) for one in each]) for each in (journal, ledger))
    return journal_digest, ledger_digest


def streamed_digests(log: KafkaLogReader) -> tuple[str, str]:
    """The printed digests that the last batches of a stream name; every partition must have been scored."""
    batches = [log.last_batch(FIRST_EDITION, partition) for partition in range(log.partitions)]
    last = [batch[1] for batch in batches if batch is not None]
    require(len(last) == log.partitions, "every partition has been scored")
    return printed_digests((batch.journal_digest for batch in last), (batch.ledger_digest for batch in last))


class Journalled(NamedTuple):
    """What the journal has of each record: how often for each member, and the fact."""

    times: Counter[tuple[str, int, str | None]]
    facts: dict[Coordinate, JournalFact]


def journalled(log: LogReader) -> Journalled:
    """What became of all records that were not refused."""
    found = Journalled(Counter(), {})
    for partition in range(log.partitions):
        for page in pages_of(log, partition):
            for line in page.lines:
                if line.record:
                    source = page.inputs[line.input]
                    found.times[source, line.record, line.member_id] += 1
                    found.facts[source, line.record] = line.fact
    return found


def refused_for_good(log: LogReader) -> Counter[Coordinate]:
    """The records that were refused and not taken in since; an earlier reject may stand for one."""
    commits = list(log.commits()) if isinstance(log, FileLogReader) else []
    mended = {number for commit in commits for number in commit.mended}
    kept = [reject for reject in rejects_of(log) if not reject.resubmit_of and reject.number not in mended]
    again = [one for commit in commits for one in commit.refused_again if one.reject not in mended]
    return Counter([(one.input, one.record) for one in kept] + [(one.sha256, one.record) for one in again])


def every_record_once(
    log: LogReader, sent: Iterable[tuple[Coordinate, PublishedFact | None]], *, all_in_time: bool = False
) -> None:
    """Each record is journalled once for each of its members, or refused once; and nothing else is. Raises LawBroken.

    What is no fact (None) must be refused; what is one may be for its time, unless they are `all_in_time`.
    """
    found = journalled(log)
    refused = refused_for_good(log)
    for coordinate, fact in sent:
        where = f"record {coordinate[1]} of {coordinate[0]}"
        if fact is None or (refused[coordinate] and not all_in_time):
            require(refused.pop(coordinate, 0) == 1, "a record is refused once", of=where)
            require(coordinate not in found.facts, "what is refused is not journalled", of=where)
            continue
        if coordinate not in found.facts and not all_in_time:
            # Before the horizon a record is left out if the journal holds the same fact from another input.
            require(fact in found.facts.values(), "every fact is journalled, or was before", of=where)
            continue
        require(found.facts.get(coordinate) == fact, "every fact is journalled", of=where)
        for member_id in members_of(fact):
            times = found.times.pop((*coordinate, member_id), 0)
            require(times == 1, "every fact is journalled once", of=where, member=member_id, times=times)
    require(not found.times, "nothing is journalled that nobody sent", found=sorted(map(str, found.times))[:3])
    require(not refused, "nothing is refused that nobody sent", found=sorted(refused)[:3])


def reference_agrees(log: LogReader) -> list[dict[str, int]]:
    """The slow and obvious ledger makes the same postings of this journal; every partition's balances.

    Raises:
        LawBroken: it does not, or postings have a gap, or a balance is not the sum of its entries.
    """
    balances = []
    for partition in range(log.partitions):
        reference = ReferenceLedger(log.opened(), layers=log.edition(log.current_edition()).layers)
        by_line: dict[tuple[int, int], list[Posting]] = {}
        points: Counter[str] = Counter()
        for number, posting in enumerate(postings_of(log, partition), 1):
            require(posting.number == number, "postings have no gap", partition=partition, number=number)
            by_line.setdefault((posting.page, posting.line), []).append(compared(posting))
            points[posting.member_id] += sum(entry.points for entry in posting.entries)
            require(points[posting.member_id] == posting.balance, "a balance is the sum of its entries", number=number)
        for page in pages_of(log, partition):
            for at, line in enumerate(page.lines):
                got, expected = by_line.pop((page.page, at), []), reference.feed(line)
                require(got == expected, "the reference ledger agrees", partition=partition, page=page.page, line=at)
        require(not by_line, "every posting has its line", partition=partition)
        theirs = {member: account.balance() for member, account in reference.accounts.items()}
        require(points == theirs, "the reference ledger has the same balances", partition=partition)
        balances.append(theirs)
    return balances


def without_positions(view: str, rows: Sequence[str | bytes]) -> Sequence[str | bytes]:
    """The rows of a view; without the positions of `progress`, which a restart or another adapter may choose anew."""
    if view != "progress":
        return rows
    return sorted(json.dumps({**json.loads(row), "position": 0}) for row in rows)
