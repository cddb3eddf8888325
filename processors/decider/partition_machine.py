"""Decides the journal lines of one partition in order, or recovers its accounts from recorded postings."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from processors.decider.account import FAR_FUTURE, Account
from processors.decider.account_store import MAX_LIVE_ACCOUNTS, AccountStore
from processors.decider.apply import apply
from processors.decider.decide import decide
from processors.decider.due_calendar import DueCalendar
from processors.decider.forgetting import FORGET_BEFORE_PACKING_MS, forget
from processors.decider.partition_state import Partition
from processors.decider.rules.compile import compile_published
from processors.decider.rules.ruleset import Ruleset
from schemas.facts import BookFact, ClockTicked, JournalOpened, MemberFact, RulesetPublished
from schemas.pages import JournalLine
from schemas.posting import Posting, RuleLayer

Load = Callable[[str], Ruleset]
_BOOK_FACTS: Final = frozenset({ClockTicked, RulesetPublished, JournalOpened})


class PartitionMachine:
    """Accounts, clock and rules of one partition in one edition, whose rules have these `layers`.

    `load` turns the published YAML text into a validated ruleset; nothing else from outside is needed. `live_accounts`
    bounds how many accounts are kept unpacked.
    """

    def __init__(
        self,
        opened: JournalOpened,
        layers: Sequence[RuleLayer],
        load: Load,
        *,
        live_accounts: int = MAX_LIVE_ACCOUNTS,
    ) -> None:
        self.partition = Partition(opened, layers, lambda published: compile_published(published, load))
        self.accounts = AccountStore(
            lambda account: forget(self.partition, account, FORGET_BEFORE_PACKING_MS), live=live_accounts
        )
        self._due = DueCalendar()

    def feed(self, line: JournalLine) -> list[Posting]:
        """Decide one journal line and enter its postings; guests and book facts give none."""
        member_id = line.member_id
        # A look-up in a set, which mypy cannot follow: `isinstance` for the three types took 0.3 µs of every fact.
        fact: Any = line.fact
        if type(fact) in _BOOK_FACTS:
            return self._feed_book(fact)
        if member_id is None:
            return []
        account = self.accounts.get(member_id) or Account(member_id)
        posting = decide(self.partition, account, fact)
        self.enter(account, fact, posting)
        return [posting]

    def decide_line(self, line: JournalLine) -> Posting:
        """What a member's line would post, changing nothing."""
        fact = line.fact
        if line.member_id is None or isinstance(fact, ClockTicked | RulesetPublished | JournalOpened):
            raise AssertionError("only a member's fact can be decided alone")
        return decide(self.partition, self.account(line.member_id), fact)

    def decide_for(self, account: Account, fact: MemberFact) -> Posting:
        """What a fact would post for an account, perhaps of another world, changing nothing."""
        return decide(self.partition, account, fact)

    def due_postings(self, tick: ClockTicked) -> list[Posting]:
        """What a tick posts, in order of member id bytes, changing nothing."""
        if tick.at <= self.partition.last_tick:
            return []
        postings = [decide(self.partition, self.account(member_id), tick) for member_id in self._due.due(tick.at)]
        return [posting for posting in postings if posting.entries]

    def recover(self, line: JournalLine, postings: list[Posting], *, whole: bool = True) -> None:
        """Enter what the ledger recorded for a line, deciding nothing.

        `whole` False: the ledger ends inside a tick, whose remaining postings are still to come.
        """
        fact = line.fact
        if isinstance(fact, RulesetPublished):
            self.partition.publish(fact)
        elif isinstance(fact, ClockTicked):
            for posting in postings:
                self.enter(self.account(posting.member_id), fact, posting)
            if whole:
                self._ticked(fact.at)
        elif not isinstance(fact, JournalOpened):
            for posting in postings:
                self.enter(self.account(posting.member_id), fact, posting)

    def account(self, member_id: str) -> Account:
        """The account of a member, fresh if it has none yet (it opens with its first posting)."""
        known = self.accounts.get(member_id)
        return Account(member_id) if known is None else known

    def enter(self, account: Account, fact: MemberFact | ClockTicked, posting: Posting) -> None:
        """Apply one posting and note the work that it makes due."""
        if not posting.entries:
            apply(self.partition, account, fact, posting)
            self.accounts.put(account)
            return
        lots = account.lots  # the same list before and after: entries open and close lots in it
        before = lots[0].expires_at if lots else FAR_FUTURE
        apply(self.partition, account, fact, posting)
        self.accounts.put(account)
        due_at = lots[0].expires_at if lots else FAR_FUTURE
        if due_at not in (before, FAR_FUTURE):
            self._due.register(due_at, account.member_id)

    def adopt(self, account: Account) -> None:
        """Take over an account as it stands elsewhere, with the work that is due on it."""
        self.accounts.put(account)
        due_at = account.lots[0].expires_at if account.lots else FAR_FUTURE
        if due_at != FAR_FUTURE:
            self._due.register(due_at, account.member_id)

    def due_work(self) -> list[tuple[int, list[int]]]:
        """The calendar of due work, with members by their place among all: what a snapshot keeps for `restore`."""
        return self._due.registered(self.accounts.members())

    def restore(
        self,
        members: list[str],
        packed: Iterable[bytes],
        due_work: Iterable[tuple[int, list[int]]],
        *,
        last_tick: int,
        publications: list[RulesetPublished],
    ) -> None:
        """Take over the state of a snapshot: packed accounts, and the calendar of what is due."""
        self.accounts.restore(members, packed)
        self._due.restore(members, due_work)
        self.partition.pass_tick(last_tick)
        for published in publications:
            self.partition.publish(published)

    def _feed_book(self, fact: BookFact) -> list[Posting]:
        if isinstance(fact, ClockTicked):
            return self._tick(fact)
        if isinstance(fact, RulesetPublished):
            self.partition.publish(fact)
        return []

    def _tick(self, tick: ClockTicked) -> list[Posting]:
        postings: list[Posting] = []
        if tick.at > self.partition.last_tick:
            for member_id in self._due.due(tick.at):
                account = self.account(member_id)
                posting = decide(self.partition, account, tick)
                if posting.entries:
                    self.enter(account, tick, posting)
                    postings.append(posting)
        self._ticked(tick.at)
        return postings

    def _ticked(self, at: int) -> None:
        if at > self.partition.last_tick:
            self.partition.pass_tick(at)
            self._due.pass_by(at)
