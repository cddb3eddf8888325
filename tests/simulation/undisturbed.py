"""The same plan over books in memory, with nothing going wrong."""

from collections.abc import Sequence
from typing import NamedTuple

from processors.replay.recovery import recover_partition
from schemas.pages import Reject
from schemas.posting import FIRST_EDITION, Posting
from tallybook.folder.recovered_partitions import new_scorers
from tests.fakes.books import MemoryBooks, MemoryLogWriter
from tests.simulation.plan import Import, Plan, Publish
from tests.simulation.session import import_files, publish
from tests.support.deciders import load
from tests.support.rounds_here import rounds_here


class Undisturbed(NamedTuple):
    """What the last commit names, and the rejects."""

    journal_digests: tuple[str, ...]
    ledger_digests: tuple[str, ...]
    rejects: list[Reject]


class QuickWriter(MemoryLogWriter):
    """Keeps the postings themselves, which nobody changes here."""

    def append_postings(self, edition: str, partition: int, postings: Sequence[Posting]) -> int:
        """See LogWriter."""
        batches = self._pending.ledgers[edition][partition]
        batches.append(list(postings))
        return len(batches)


def undisturbed(plan: Plan) -> Undisturbed:
    """Take all acts in, one after another, in one life."""
    books = MemoryBooks(plan.opened)
    log = books.writer = QuickWriter(books)
    scorers = new_scorers(log, load)
    rounds = rounds_here(
        log, scorers, FIRST_EDITION, [recover_partition(log, FIRST_EDITION, scorer) for scorer in scorers]
    )
    for act in plan.acts:
        if isinstance(act, Publish):
            publish(rounds, act)
        else:
            assert isinstance(act, Import), "what is followed has no one right order"
            import_files(log, rounds, act, plan.now)
    last = log.committed()
    rejects = [reject for _, batch in log.read_rejects() for reject in batch]
    return Undisturbed(last.journal_digests, last.ledger_digests, rejects)
