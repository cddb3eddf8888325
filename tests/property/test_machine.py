"""The laws of the decider, searched for counterexamples: whatever is told in whatever order, they hold.

Conservation after every posting; `decide` changes nothing; a fact told twice does no harm; recorded postings alone
bring a fresh machine to the same state, also from the middle of a tick and from a snapshot.
"""

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from processors.decider.account import Account
from processors.decider.partition_machine import PartitionMachine
from schemas.bounds import DAY_MS
from schemas.facts import CheckedIn, ClockTicked, PublishedFact, RefereePurchased, members_of
from schemas.pages import JournalLine
from schemas.posting import EntryType, Posting, Reason
from tests.property import strategies
from tests.support.accounts_digest import accounts_digest, canonical_account
from tests.support.deciders import load, published

FAR_TICK = strategies.START + 4_000 * DAY_MS
HARMLESS = {Reason.DUPLICATE, Reason.CONFLICT, Reason.TOO_OLD}
ENTRY_SIGNS = {EntryType.POINTS_AWARDED: 1, EntryType.POINTS_EXPIRED: -1}

# What due work alone may change in an account.
DUE_FIELDS = {"seq", "balance", "latest_at", "lots"}


def accounts_of(machine: PartitionMachine) -> dict[str, bytes]:
    """All accounts in canonical bytes."""
    return {account.member_id: canonical_account(machine.partition, account) for account in machine.accounts}


def fields_beside_due(account: Account) -> dict[str, object]:
    """An account's fields that due work never touches, as plain values."""
    fields = msgspec.structs.asdict(account)
    return {name: value for name, value in fields.items() if name not in DUE_FIELDS}


class Books(RuleBasedStateMachine):
    """Tells a partition whatever comes, and keeps the journal and the ledger that come of it."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = strategies.opened()
        self.machine = PartitionMachine(self.opened, load)
        self.book: list[tuple[JournalLine, list[Posting]]] = []
        self.owed: list[RefereePurchased] = []
        self.entered: dict[str, int] = {}

    def tell(self, line: JournalLine) -> list[Posting]:
        before = accounts_of(self.machine)
        if isinstance(line.fact, ClockTicked):
            foreseen = self.machine.due_postings(line.fact)
        else:
            foreseen = [self.machine.decide_line(line)]
        assert accounts_of(self.machine) == before, "to decide is not to change"
        postings = self.machine.feed(line)
        assert postings == foreseen
        self.book.append((line, postings))
        for posting in postings:
            self.owed += posting.owed
            self.conserve(posting)
        return postings

    def conserve(self, posting: Posting) -> None:
        account = self.machine.account(posting.member_id)
        for entry in posting.entries:
            assert entry.points * ENTRY_SIGNS[EntryType(entry.type)] > 0
        ids = [entry.entry_id for entry in posting.entries]
        assert len(ids) == len(set(ids))
        signed = sum(entry.points for entry in posting.entries)
        self.entered[posting.member_id] = self.entered.get(posting.member_id, 0) + signed
        assert posting.balance == account.balance == self.entered[posting.member_id]
        assert posting.balance == sum(lot.remaining for lot in account.lots)
        assert all(lot.remaining > 0 for lot in account.lots)
        assert posting.seq == account.seq
        awards = [entry for entry in posting.entries if entry.type == EntryType.POINTS_AWARDED]
        assert (posting.reason is None) == (bool(awards) or posting.fact_type == "ClockTicked")
        paid = [(working.rule_id, working.paid) for working in posting.workings if working.paid]
        assert paid == [(entry.rule_id, entry.points) for entry in awards]

    @initialize(version=st.sampled_from(strategies.RULESETS))
    def begin(self, version: str) -> None:
        self.publish(version, strategies.START - 100 * DAY_MS)

    @rule(version=st.sampled_from(strategies.RULESETS), effective_from=strategies.instants)
    def publish(self, version: str, effective_from: int) -> None:
        name = version.split('"')[1]
        fact = published(version, strategies.ZONE, version=name, effective_from=effective_from)
        line = JournalLine(fact, 0)
        assert self.machine.feed(line) == []
        self.book.append((line, []))

    @rule(fact=strategies.facts())
    def happen(self, fact: PublishedFact) -> None:
        for member_id in members_of(fact):
            self.tell(JournalLine(fact, 0, member_id))

    @rule(at=strategies.instants)
    def tick(self, at: int) -> None:
        before = self.machine.partition.last_tick
        postings = self.tell(JournalLine(ClockTicked(at), 0))
        assert self.machine.partition.last_tick == max(before, at)
        members = [posting.member_id.encode() for posting in postings]
        assert members == sorted(set(members))

    @precondition(lambda self: self.owed)
    @rule()
    def end_round(self) -> None:
        told, self.owed = sorted(self.owed, key=lambda fact: fact.occurred_at), []
        for fact in told:
            self.tell(JournalLine(fact, 0, fact.member_id))
        assert not self.owed, "derived facts owe nothing"

    @precondition(lambda self: self.book)
    @rule(data=st.data())
    def tell_again(self, data: st.DataObject) -> None:
        line, postings = data.draw(st.sampled_from(self.book))
        if line.member_id is None or not postings:
            return
        before = fields_beside_due(self.machine.account(line.member_id))
        fact = line.fact
        if postings[0].reason in HARMLESS:
            return  # its key may belong to no remembered fact any more: then it is a new one
        (posting,) = self.tell(line)
        horizon_at = self.machine.partition.horizon_at
        assert not isinstance(fact, ClockTicked)
        assert posting.reason == (Reason.TOO_OLD if posting.occurred_at < horizon_at else Reason.DUPLICATE)
        assert all(entry.type == EntryType.POINTS_EXPIRED for entry in posting.entries)
        assert not posting.charges + posting.owed + posting.totals
        assert not posting.late
        assert fields_beside_due(self.machine.account(line.member_id)) == before

    @precondition(lambda self: len(self.machine.accounts) > 0)
    @invariant()
    def nothing_is_past_due_after_a_tick(self) -> None:
        last_tick = self.machine.partition.last_tick
        for account in self.machine.accounts:
            assert all(lot.expires_at > last_tick for lot in account.lots)

    def teardown(self) -> None:
        recovered = self.recovered_from_the_books()
        snapshot = self.restored_from_a_snapshot()
        last = JournalLine(ClockTicked(FAR_TICK), 0)
        postings = self.machine.feed(last)
        assert recovered.feed(last) == postings
        assert snapshot.feed(last) == postings
        digests = {accounts_digest(machine) for machine in (recovered, snapshot, self.machine)}
        assert len(digests) == 1
        assert accounts_of(recovered) == accounts_of(snapshot) == accounts_of(self.machine)

    def recovered_from_the_books(self) -> PartitionMachine:
        recovered = PartitionMachine(self.opened, load)
        for line, postings in self.book:
            if isinstance(line.fact, ClockTicked) and len(postings) > 1:
                recovered.recover(line, postings[:1], whole=False)
                assert recovered.due_postings(line.fact) == postings[1:]
                recovered.recover(line, postings[1:])
            else:
                recovered.recover(line, postings)
        assert accounts_of(recovered) == accounts_of(self.machine)
        assert recovered.partition.last_tick == self.machine.partition.last_tick
        return recovered

    def restored_from_a_snapshot(self) -> PartitionMachine:
        restored = PartitionMachine(self.opened, load)
        restored.restore(
            list(self.machine.accounts.members()),
            self.machine.accounts.packed(),
            self.machine.due_work(),
            last_tick=self.machine.partition.last_tick,
            publications=self.machine.partition.publications,
        )
        return restored


TestBooks = Books.TestCase


def test_recovery_goes_on_inside_a_tick() -> None:
    machine, recovered = (PartitionMachine(strategies.opened(), load) for _ in range(2))
    publication = published(strategies.RULESETS[0], strategies.ZONE, version="1", effective_from=strategies.START)
    lines = [JournalLine(publication, 0)]
    for member_id in strategies.MEMBERS:
        fact = CheckedIn("app", "e1", strategies.START + DAY_MS, member_id)
        lines.append(JournalLine(fact, 0, member_id))
    for line in lines:
        recovered.recover(line, machine.feed(line))
    tick = JournalLine(ClockTicked(strategies.START + 30 * DAY_MS), 0)
    postings = machine.feed(tick)
    assert [posting.member_id for posting in postings] == sorted(strategies.MEMBERS, key=str.encode)
    for number in range(len(postings)):
        assert recovered.partition.last_tick == 0
        recovered.recover(tick, postings[number : number + 1], whole=number + 1 == len(postings))
    assert recovered.partition.last_tick == machine.partition.last_tick
    assert accounts_of(recovered) == accounts_of(machine)
