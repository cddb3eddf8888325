"""What must hold whatever goes wrong: the laws that a simulated run is judged by at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from books.log import CommittedRounds, LogReader
from schemas.facts import JournalFact, JournalOpened, RefereePurchased, members_of
from schemas.pages import Reject
from schemas.posting import FIRST_EDITION
from tests.property.histories import compared
from tests.reference.ledger import ReferenceLedger
from tests.simulation.inputs import BytesInput
from tests.simulation.state import balances_of

if TYPE_CHECKING:
    from tests.simulation.fold import Fold


class LawBroken(Exception):
    """A law does not hold; the message says which, and where."""


def require(holds: bool, law: str, **where: object) -> None:  # noqa: FBT001 - the one thing that it is about
    """Raises LawBroken unless it holds."""
    if not holds:
        at = ", ".join(f"{name} {value}" for name, value in where.items())
        raise LawBroken(f"{law} ({at})" if at else law)


def audit(log: CommittedRounds, fold: Fold, inputs: Sequence[BytesInput]) -> None:
    """All laws that the committed books alone can break."""
    _books_are_whole(log, fold)
    rejects = rejects_in(log)
    _every_record_once(fold, rejects, inputs)
    _what_is_owed_is_there(fold)
    _the_reference_agrees(log.opened(), fold)


def rejects_in(log: LogReader) -> list[Reject]:
    """All rejects, in order."""
    return [reject for _, batch in log.read_rejects() for reject in batch]


def _books_are_whole(log: CommittedRounds, fold: Fold) -> None:
    """Read from their beginning, the books hold what the fold has seen being committed, numbered without a gap."""
    for partition, written in enumerate(fold.written):
        pages = [page for _, page in log.read_journal(partition)]
        require([page.page for page in pages] == list(range(len(pages))), "pages have no gap", partition=partition)
        lines = [line for page in pages for line in page.lines]
        require(lines == [item.line for item in written], "the journal keeps what was committed", partition=partition)
        postings = [posting for _, batch in log.read_ledger(FIRST_EDITION, partition) for posting in batch]
        numbers = [posting.number for posting in postings]
        require(numbers == list(range(1, len(numbers) + 1)), "postings have no gap", partition=partition)
        decided = [posting for item in written for posting in item.postings]
        require(postings == decided, "the ledger keeps what was committed", partition=partition)
    rejects = [reject.number for reject in rejects_in(log)]
    require(rejects == list(range(1, len(rejects) + 1)), "rejects have no gap")
    committed = log.committed()
    require(committed.rejects == len(rejects), "a commit counts the rejects")


def _every_record_once(fold: Fold, rejects: Sequence[Reject], inputs: Sequence[BytesInput]) -> None:
    """Each record of each input is journalled once for each of its members, or refused once; and nothing else is."""
    journalled: Counter[tuple[str, int, str | None]] = Counter()
    facts: dict[tuple[str, int], JournalFact] = {}
    for written in fold.written:
        for item in written:
            if item.input:
                journalled[item.input, item.line.record, item.line.member_id] += 1
                facts[item.input, item.line.record] = item.line.fact
    refused = Counter((reject.input, reject.record) for reject in rejects)
    for one in inputs:
        for read in one.expected:
            key = (one.sha256, read.record)
            times = refused.pop(key, 0)
            where = f"record {read.record} of {one.name}"
            if times:
                require(times == 1, "a record is refused once", of=where)
                require(key not in facts, "what is refused is not journalled", of=where)
                continue
            require(read.fact is not None and facts.get(key) == read.fact, "every fact is journalled", of=where)
            assert read.fact is not None
            for member_id in members_of(read.fact):
                times = journalled.pop((*key, member_id), 0)
                require(times == 1, "every fact is journalled once", of=where, member=member_id, times=times)
    require(not journalled, "nothing is journalled that nobody sent", found=sorted(map(str, journalled))[:3])
    require(not refused, "nothing is refused that nobody sent", found=sorted(refused)[:3])


def _what_is_owed_is_there(fold: Fold) -> None:
    owed = Counter(map(_key, fold.owed()))
    derived = Counter(map(_key, derived_in(fold)))
    require(owed == derived, "each owed fact is journalled once and none unowed", differing=_first(owed, derived))


def derived_in(fold: Fold) -> Iterator[RefereePurchased]:
    """The derived facts of the journal."""
    for written in fold.written:
        for item in written:
            if isinstance(item.line.fact, RefereePurchased):
                yield item.line.fact


def _key(fact: RefereePurchased) -> bytes:
    return msgspec.json.encode(fact)


def _first(owed: Counter[bytes], derived: Counter[bytes]) -> str:
    differing = sorted((owed - derived) + (derived - owed))
    return differing[0].decode() if differing else ""


def _the_reference_agrees(opened: JournalOpened, fold: Fold) -> None:
    """The second, slow and obvious reading of the rules makes the same postings and balances of this journal."""
    for scorer, written in zip(fold.scorers, fold.written, strict=True):
        reference = ReferenceLedger(opened)
        points: Counter[str] = Counter()
        for item in written:
            expected = reference.feed(item.line)
            got = [compared(posting) for posting in item.postings]
            if got != expected:
                what = f"{type(item.line.fact).__name__} for {item.line.member_id}"
                require(False, "the reference ledger agrees", partition=scorer.partition, fact=what)  # noqa: FBT003 - it never holds here
            for posting in item.postings:
                points[posting.member_id] += sum(entry.points for entry in posting.entries)
                require(points[posting.member_id] == posting.balance, "a balance is the sum of its entries")
        balances = balances_of(scorer.machine)
        theirs = {member: account.balance() for member, account in reference.accounts.items()}
        require(balances == theirs, "the reference ledger has the same balances", partition=scorer.partition)
