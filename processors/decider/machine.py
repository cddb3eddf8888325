"""One partition as a deterministic machine: fed with journal lines it gives postings, fed with both it recovers."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush

from processors.decider.account import FAR_FUTURE, Account
from processors.decider.apply import apply
from processors.decider.calendar import Zone
from processors.decider.compile import CompiledRuleset, compile_ruleset
from processors.decider.decide import decide
from processors.decider.partition import Partition
from processors.decider.ruleset import Ruleset
from schemas.facts import ClockTicked, JournalOpened, MemberFact, RulesetPublished
from schemas.pages import JournalLine
from schemas.posting import EntryType, Posting

Load = Callable[[str], Ruleset]
Due = tuple[int, bytes]


class PartitionMachine:
    """Accounts, clock and rules of one partition.

    `load` turns the published YAML text into a validated ruleset; nothing else from outside is needed.
    """

    def __init__(self, opened: JournalOpened, load: Load) -> None:
        self._load = load
        self.partition = Partition(opened, self._compile)
        self.accounts: dict[str, Account] = {}
        self._due: list[Due] = []

    def feed(self, line: JournalLine) -> list[Posting]:
        """Decide one journal line and enter its postings; guests and book facts give none."""
        fact = line.fact
        if isinstance(fact, ClockTicked):
            return self._tick(fact)
        if isinstance(fact, RulesetPublished):
            self.partition.publish(fact)
            return []
        if isinstance(fact, JournalOpened) or line.member_id is None:
            return []
        account = self.account(line.member_id)
        posting = decide(self.partition, account, fact)
        self.enter(account, fact, posting)
        return [posting]

    def decide_line(self, line: JournalLine) -> Posting:
        """What a member's line would post, changing nothing."""
        fact = line.fact
        if line.member_id is None or isinstance(fact, ClockTicked | RulesetPublished | JournalOpened):
            raise AssertionError("only a member's fact can be decided alone")
        return decide(self.partition, self.account(line.member_id), fact)

    def due_postings(self, tick: ClockTicked) -> list[Posting]:
        """What a tick posts, in order of member id bytes, changing nothing."""
        if tick.at <= self.partition.last_tick:
            return []
        members = sorted(self._members_due(tick.at))
        postings = [decide(self.partition, self.accounts[member.decode()], tick) for member in members]
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
        apply(self.partition, account, fact, posting)
        self.accounts.setdefault(account.member_id, account)
        member: bytes | None = None
        for entry in posting.entries:
            if entry.type == EntryType.POINTS_AWARDED and entry.expires_at is not None:
                member = member or account.member_id.encode()
                heappush(self._due, (entry.expires_at, member))

    def restore(self, accounts: list[Account], last_tick: int, publications: list[RulesetPublished]) -> None:
        """Take over the state of a snapshot; the heap of due work is rebuilt from the lots."""
        self.accounts = {account.member_id: account for account in accounts}
        self.partition.last_tick = last_tick
        for published in publications:
            self.partition.publish(published)
        self._due = [
            (lot.expires_at, account.member_id.encode())
            for account in accounts
            for lot in account.lots
            if lot.expires_at != FAR_FUTURE
        ]
        heapify(self._due)

    def _tick(self, tick: ClockTicked) -> list[Posting]:
        postings = self.due_postings(tick)
        for posting in postings:
            self.enter(self.accounts[posting.member_id], tick, posting)
        self._ticked(tick.at)
        return postings

    def _ticked(self, at: int) -> None:
        if at > self.partition.last_tick:
            self.partition.last_tick = at
            while self._due and self._due[0][0] <= at:
                heappop(self._due)

    def _members_due(self, until: int) -> set[bytes]:
        """The members with work due: in a heap no child is due before its parent, so the search stops early."""
        due, members, places = self._due, set(), [0]
        while places:
            place = places.pop()
            if place < len(due) and due[place][0] <= until:
                members.add(due[place][1])
                places += (2 * place + 1, 2 * place + 2)
        return members

    def _compile(self, published: RulesetPublished) -> CompiledRuleset:
        zone = Zone(published.timezone, published.tzif)
        return compile_ruleset(self._load(published.text), published.ruleset_hash, published.semantics, zone)
