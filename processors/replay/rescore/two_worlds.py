"""Decides one partition of a journal under the rules of the books and under drafts of other rules, in one pass.

One account serves all worlds until a posting has other effects in one of them; from there on that world has a copy.
Where the rules say the same of a fact, a shared account is decided once.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Final

import msgspec

from processors.decider.account import Account
from processors.decider.account_store import MAX_LIVE_ACCOUNTS
from processors.decider.decide import decide
from processors.decider.partition_machine import Load, PartitionMachine
from processors.replay.rescore.compare import OnLine
from processors.replay.rescore.draft_world import DraftWorld
from schemas.canonical import EMPTY_DIGEST, next_ledger_digest
from schemas.facts import ClockTicked, JournalOpened, RulesetPublished
from schemas.pages import Folio, JournalLine
from schemas.posting import Posting, Reason, RuleLayer

# Unpacked accounts of all worlds together; a process decides one partition at a time, and to pack an account that has a
# long history and unpack it again takes longer than to decide a fact.
LIVE_ACCOUNTS: Final = 16_384
MILLION: Final = 1_000_000
_BOOK_FACTS: Final = frozenset({ClockTicked, RulesetPublished, JournalOpened})
_BEFORE_RULES: Final = frozenset({Reason.TOO_OLD, Reason.DUPLICATE, Reason.CONFLICT})
_DRAWN_BYTES: Final = 8


class Selection(msgspec.Struct, frozen=True):
    """Which members are decided: those named, or about so many of a million, or all.

    They are drawn by a hash of the member id that has nothing to do with partitions.
    """

    members: frozenset[str] | None = None
    per_million: int = MILLION

    @property
    def is_everybody(self) -> bool:
        """Whether all members are decided, so that the ledger's digest can be compared."""
        return self.members is None and self.per_million >= MILLION

    def takes(self, member_id: str) -> bool:
        """Whether a member is decided."""
        if self.members is not None:
            return member_id in self.members
        drawn = int.from_bytes(blake2b(member_id.encode(), digest_size=_DRAWN_BYTES).digest(), "big")
        return drawn * MILLION < self.per_million << 8 * _DRAWN_BYTES


EVERYBODY: Final = Selection()


class TwoWorlds:
    """The world of the books in one partition, and drafts beside it. Feed it every line of the journal in order.

    `base_layers` are those of the edition that the drafts are compared with; each draft gives its own layers, and whom
    to tell the lines that differ. `postings` counts what the base makes, `decided` all decisions.
    """

    def __init__(
        self,
        opened: JournalOpened,
        base_layers: Sequence[RuleLayer],
        drafts: Sequence[tuple[Sequence[RuleLayer], OnLine]],
        load: Load,
        selection: Selection = EVERYBODY,
    ) -> None:
        live = max(MAX_LIVE_ACCOUNTS, LIVE_ACCOUNTS // (1 + len(drafts)))
        self.base = PartitionMachine(opened, base_layers, load, live_accounts=live)
        self.drafts = [
            DraftWorld(self.base, PartitionMachine(opened, layers, load, live_accounts=live), load, on_line)
            for layers, on_line in drafts
        ]
        self.digest = EMPTY_DIGEST
        self.postings = 0
        self.decided = 0
        self._everybody = selection.is_everybody
        self._takes = selection.takes

    def feed(self, line: JournalLine, place: Folio) -> None:
        """Decide one line in every world, and compare.

        Raises:
            AssertionError: two worlds differ in what no rule can change; a fault in this program.
        """
        fact: Any = line.fact
        member_id = line.member_id
        if type(fact) in _BOOK_FACTS:
            self._feed_book(line, place)
        elif member_id is not None and (self._everybody or self._takes(member_id)):
            self._feed_member(fact, self.base.account(member_id), place)

    def _feed_member(self, fact: Any, account: Account, place: Folio) -> None:
        posting = decide(self.base.partition, account, fact)
        self.decided += 1
        self._chain(posting)
        for draft in self.drafts:
            if draft.has_parted(account.member_id):
                own = draft.machine.account(account.member_id)
                after = self._decide_again(draft, own, fact, posting)
                draft.compare(posting, after, place)
                draft.machine.enter(own, fact, after)
            elif not draft.decides_alike(fact):
                after = self._decide_again(draft, account, fact, posting)
                if _effects(after) != _effects(posting):
                    own = draft.part(account, place)
                    draft.compare(posting, after, place)
                    draft.machine.enter(own, fact, after)
        self.base.enter(account, fact, posting)

    def _decide_again(self, draft: DraftWorld, account: Account, fact: Any, posting: Posting) -> Posting:
        after = decide(draft.machine.partition, account, fact)
        self.decided += 1
        if _beyond_rules(after) != _beyond_rules(posting):
            raise AssertionError(
                f"{posting.source}/{posting.event_id} of {posting.member_id}: the worlds differ in what no rule can "
                f"change: {_beyond_rules(posting)!r}, {_beyond_rules(after)!r}"
            )
        return after

    def _feed_book(self, line: JournalLine, place: Folio) -> None:
        made = self.base.feed(line)
        for posting in made:
            self._chain(posting)
        for draft in self.drafts:
            after = {posting.member_id: posting for posting in draft.machine.feed(line)}
            for posting in made:
                if draft.has_parted(posting.member_id):
                    draft.compare(posting, after.pop(posting.member_id, None), place)
            for posting in after.values():
                draft.compare(None, posting, place)

    def _chain(self, posting: Posting) -> None:
        self.postings += 1
        if self._everybody:
            self.digest = next_ledger_digest(self.digest, posting)


def _effects(posting: Posting) -> tuple[object, ...]:
    """All by which a posting changes an account, as far as rules can change it."""
    return posting.entries, posting.charges, posting.day_held, posting.totals, posting.claim_paid


def _beyond_rules(posting: Posting) -> tuple[object, ...]:
    """What a posting says whatever the rules are: whether they are asked at all, and the referrals."""
    reason = posting.reason if posting.reason in _BEFORE_RULES else None
    return reason, posting.purchase_rank, posting.claim_opened, posting.owed
