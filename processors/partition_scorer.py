"""Scores one partition: turns journal lines into numbered postings, and carries both digests along."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from processors.decider.account_store import MAX_LIVE_ACCOUNTS
from processors.decider.partition_machine import Load, PartitionMachine
from schemas.canonical import EMPTY_DIGEST, chained, journal_form, next_journal_digest, next_ledger_digest
from schemas.facts import JournalOpened, RefereePurchased
from schemas.pages import Folio, JournalLine
from schemas.posting import Posting, RuleLayer


class Owed(NamedTuple):
    """A derived fact that a posting owes, with the place by which such facts are sorted."""

    occurred_at: int
    partition: int
    folio: Folio
    n: int
    fact: RefereePurchased


class PartitionScorer:
    """The accounts of a partition in an edition with these `layers`, and how far its journal and ledger have come.

    `number` is that of the last posting (0: none), `page` that of the last whole page (-1: none), `line_bytes` is the
    approximate size of the last line.
    """

    def __init__(
        self,
        partition: int,
        opened: JournalOpened,
        layers: Sequence[RuleLayer],
        load: Load,
        *,
        live_accounts: int = MAX_LIVE_ACCOUNTS,
    ) -> None:
        self.partition = partition
        self.machine = PartitionMachine(opened, layers, load, live_accounts=live_accounts)
        self.number = 0
        self.page = -1
        self.line_bytes = 0
        self.journal_digest = EMPTY_DIGEST
        self.ledger_digest = EMPTY_DIGEST

    @property
    def last_tick(self) -> int:
        """The last tick of this partition in UTC ms; 0 for none."""
        return self.machine.partition.last_tick

    def score(self, line: JournalLine, folio: Folio) -> list[Posting]:
        """Decide one line that stands at `folio`; its postings, with their numbers and folios."""
        form = journal_form(line.member_id, line.fact)
        self.journal_digest = chained(self.journal_digest, form)
        self.line_bytes = len(form)
        postings = self.machine.feed(line)
        for sub, posting in enumerate(postings):
            posting.number, posting.page, posting.line, posting.sub = self.number + 1, folio.page, folio.line, sub
            self._count(posting)
        return postings

    def recover(self, line: JournalLine, postings: list[Posting], *, whole: bool = True) -> None:
        """Apply a line and its recorded postings to the accounts, without deciding anything."""
        self.pass_by(line, postings)
        self.machine.recover(line, postings, whole=whole)

    def pass_by(self, line: JournalLine, postings: list[Posting]) -> None:
        """Count a line and its recorded postings in number and digests, without applying them."""
        self.journal_digest = next_journal_digest(self.journal_digest, line.member_id, line.fact)
        for posting in postings:
            self._count(posting)

    def _count(self, posting: Posting) -> None:
        if posting.number != self.number + 1:
            raise AssertionError(
                f"partition {self.partition}: posting {posting.number} cannot follow posting {self.number}"
            )
        self.number = posting.number
        self.ledger_digest = next_ledger_digest(self.ledger_digest, posting)


def owed_by(partition: int, posting: Posting) -> Iterable[Owed]:
    """The derived facts of a stamped posting, each with its place; a derived fact owes none itself."""
    if posting.owed and posting.fact_type == RefereePurchased.__name__:
        raise AssertionError(f"derived fact {posting.event_id} owes facts itself")
    folio = Folio(posting.page, posting.line, posting.sub)
    for n, fact in enumerate(posting.owed):
        yield Owed(fact.occurred_at, partition, folio, n, fact)
