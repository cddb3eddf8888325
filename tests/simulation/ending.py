"""The end of a run: what was taken in by time is what an undisturbed run makes of it; and what the books came to."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from books.files.reader import FileLogReader
from schemas.pages import Reject, RoundCommitted
from tests.fakes.books import MemoryBooks
from tests.simulation.fold import Fold
from tests.simulation.plan import Import, Plan, Publish
from tests.simulation.session import import_files, publish
from tests.support.small_imports import rounds_of
from tests.support.whole_books import rejects_of, require


def as_undisturbed(plan: Plan, reader: FileLogReader) -> None:
    """Journal, ledger and rejects are those of an undisturbed run."""
    expected = undisturbed(plan)
    committed = reader.committed()
    require(committed.journal_digests == expected.journal_digests, "the journal is that of an undisturbed run")
    require(committed.ledger_digests == expected.ledger_digests, "the ledger is that of an undisturbed run")
    as_is = [act for act in plan.acts if isinstance(act, Import) and act.as_is]
    as_they_came = {one.sha256 for act in as_is for one in act.files}
    found = rejects_of(reader)
    stands = stood_for(reader, found)
    theirs = [one for one in comparable(expected.rejects, as_they_came) if (one.input, one.record) not in stands]
    require(comparable(found, as_they_came) == theirs, "the rejects are those of an undisturbed run")


def stood_for(reader: FileLogReader, rejects: Sequence[Reject]) -> set[tuple[str, int]]:
    """The records of which no reject is kept, as one stands for them that an undisturbed run does not have.

    That is one that names the first reject of its record, because it was refused again in other words.
    """
    return {
        (one.sha256, one.record)
        for commit in reader.commits()
        for one in commit.refused_again
        if rejects[one.reject - 1].resubmit_of
    } - {(one.input, one.record) for one in rejects}


def comparable(rejects: Sequence[Reject], as_they_came: set[str]) -> list[Reject]:
    """Of what was taken in as it came, the rest is judged at a later tick after a restart, and the words name it.

    A record that is refused again then, in other words, is another reject, which names the first one: that counts
    alone. Numbers go up by one, and are left out.
    """
    found: list[Reject] = []
    for number, reject in enumerate(rejects, 1):
        require(reject.number == number, "rejects are numbered one after the other")
        each = msgspec.structs.replace(reject, number=0)
        if reject.input in as_they_came:
            if reject.resubmit_of:
                first = rejects[reject.resubmit_of - 1]
                require(
                    (first.input, first.record) == (reject.input, reject.record), "it names the reject of its record"
                )
                continue
            each = msgspec.structs.replace(each, message="", raw=b"", received_at=0)
        found.append(each)
    return found


def count_books(fold: Fold, committed: RoundCommitted, seen: Counter[str]) -> None:
    """What a seed's books came to."""
    seen["rounds committed"] += committed.number
    seen["rejects"] += committed.rejects
    for written in fold.written:
        for item in written:
            seen["journal lines"] += 1
            for posting in item.postings:
                seen["postings"] += 1
                seen["postings that are late"] += posting.late
                seen["facts owed"] += len(posting.owed)
                if posting.reason is not None:
                    seen[f"reason {posting.reason}"] += 1


class Undisturbed(NamedTuple):
    """What the last commit names, and the rejects."""

    journal_digests: tuple[str, ...]
    ledger_digests: tuple[str, ...]
    rejects: list[Reject]


def undisturbed(plan: Plan) -> Undisturbed:
    """Take all acts in, one after another, in one life."""
    log = MemoryBooks(plan.opened).write()
    rounds = rounds_of(log)
    for act in plan.acts:
        if isinstance(act, Publish):
            publish(rounds, act)
        else:
            assert isinstance(act, Import), "what is followed has no one right order"
            import_files(log, rounds, act, plan.now)
    last = log.committed()
    rejects = rejects_of(log)
    return Undisturbed(last.journal_digests, last.ledger_digests, rejects)
