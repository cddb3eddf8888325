"""The end of a run: what was taken in by time is what an undisturbed run makes of it; and what the books came to."""

from collections import Counter

import msgspec

from books.files.open import FileLogReader
from schemas.pages import Reject, RoundCommitted
from tests.simulation.fold import Fold
from tests.simulation.laws import rejects_in, require
from tests.simulation.plan import Import, Plan
from tests.simulation.undisturbed import undisturbed


def as_undisturbed(plan: Plan, reader: FileLogReader) -> None:
    """Journal, ledger and rejects are those of an undisturbed run."""
    expected = undisturbed(plan)
    committed = reader.committed()
    require(committed.journal_digests == expected.journal_digests, "the journal is that of an undisturbed run")
    require(committed.ledger_digests == expected.ledger_digests, "the ledger is that of an undisturbed run")
    as_is = [act for act in plan.acts if isinstance(act, Import) and act.as_is]
    as_they_came = {one.sha256 for act in as_is for one in act.files}
    rejects = [comparable(reject, as_they_came) for reject in rejects_in(reader)]
    theirs = [comparable(reject, as_they_came) for reject in expected.rejects]
    require(rejects == theirs, "the rejects are those of an undisturbed run")


def comparable(reject: Reject, as_they_came: set[str]) -> Reject:
    """Of what was taken in as it came, the rest is judged at a later tick after a restart, and the words name it."""
    if reject.input not in as_they_came:
        return reject
    return msgspec.structs.replace(reject, message="", raw=b"", received_at=0)


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
