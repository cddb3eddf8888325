"""The laws of the decider on random histories: whatever is told in whatever order, they hold.

Conservation after every posting; `decide` changes nothing; a fact told twice does no harm; recorded postings alone
bring a fresh machine to the same state, also from the middle of a tick.
"""

from collections import Counter
from random import Random
from typing import Final

import msgspec
import pytest

from processors.decider.account import Account
from processors.decider.accounts_digest import accounts_digest, canonical_account
from processors.decider.partition_machine import PartitionMachine
from schemas.bounds import DAY_MS
from schemas.facts import ClockTicked, RefereePurchased
from schemas.pages import JournalLine
from schemas.posting import EntryType, Posting, Reason
from tests.property import histories
from tests.support.deciders import load

FIRST_SEED: Final = 40_001
HISTORIES: Final = 200
AGAIN: Final = 0.25  # of the lines, those after which an earlier one is told again
HARMLESS: Final = {Reason.DUPLICATE, Reason.CONFLICT, Reason.TOO_OLD}
ENTRY_SIGNS: Final = {EntryType.POINTS_AWARDED: 1, EntryType.POINTS_EXPIRED: -1}
# What due work alone may change in an account.
DUE_FIELDS: Final = {"seq", "balance", "latest_at", "lots"}


def fields_beside_due(account: Account) -> dict[str, object]:
    """An account's fields that due work never touches, as plain values."""
    fields = msgspec.structs.asdict(account)
    return {name: value for name, value in fields.items() if name not in DUE_FIELDS}


def accounts_of(machine: PartitionMachine) -> dict[str, bytes]:
    """All accounts in canonical bytes."""
    return {account.member_id: canonical_account(machine.partition, account) for account in machine.accounts}


class Lawful:
    """A machine that is held against the laws at every line, and one that recovers from what the first recorded."""

    def __init__(self, history: histories.History) -> None:
        self.machine, self.recovered = (PartitionMachine(history.opened, (), load) for _ in range(2))
        self.machine.partition.max_lots = self.recovered.partition.max_lots = history.max_lots
        self._random = Random(history.seed)
        self._told: list[JournalLine] = []
        self._points: Counter[str] = Counter()

    def feed(self, line: JournalLine) -> list[Posting]:
        postings = self._tell(line)
        if line.member_id is not None and postings[0].reason not in HARMLESS:
            self._told.append(line)
        if self._told and self._random.random() < AGAIN:
            self._tell_again(self._random.choice(self._told))
        return postings

    def _tell(self, line: JournalLine) -> list[Posting]:
        before, last_tick = accounts_of(self.machine), self.machine.partition.last_tick
        foreseen: list[Posting] = []
        if isinstance(line.fact, ClockTicked):
            last_tick = max(last_tick, line.fact.at)
            foreseen = self.machine.due_postings(line.fact)
            members = [posting.member_id.encode() for posting in foreseen]
            assert members == sorted(set(members))
        elif line.member_id is not None:
            foreseen = [self.machine.decide_line(line)]
        assert accounts_of(self.machine) == before, "to decide is not to change"
        postings = self.machine.feed(line)
        assert postings == foreseen
        assert self.machine.partition.last_tick == last_tick
        for posting in postings:
            assert not (posting.owed and isinstance(line.fact, RefereePurchased)), "derived facts owe nothing"
            self._conserve(posting)
        for account in self.machine.accounts:
            assert all(lot.expires_at > last_tick for lot in account.lots), "nothing is past due after a tick"
        self._recover(line, postings)
        return postings

    def _conserve(self, posting: Posting) -> None:
        account = self.machine.account(posting.member_id)
        for entry in posting.entries:
            assert entry.points * ENTRY_SIGNS[EntryType(entry.type)] > 0
        ids = [entry.entry_id for entry in posting.entries]
        assert len(ids) == len(set(ids))
        self._points[posting.member_id] += sum(entry.points for entry in posting.entries)
        assert posting.balance == account.balance == self._points[posting.member_id]
        assert posting.balance == sum(lot.remaining for lot in account.lots)
        assert all(lot.remaining > 0 for lot in account.lots)
        assert posting.seq == account.seq
        awards = [entry for entry in posting.entries if entry.type == EntryType.POINTS_AWARDED]
        assert (posting.reason is None) == (bool(awards) or posting.fact_type == "ClockTicked")
        paid = [(working.rule_id, working.paid) for working in posting.workings if working.paid]
        assert paid == [(entry.rule_id, entry.points) for entry in awards]

    def _recover(self, line: JournalLine, postings: list[Posting]) -> None:
        """Recover from the line; from a tick posting by posting, as from a ledger that ends within it."""
        fact, before = line.fact, self.recovered.partition.last_tick
        if isinstance(fact, ClockTicked):
            for number, posting in enumerate(postings[:-1]):
                self.recovered.recover(line, [posting], whole=False)
                assert self.recovered.due_postings(fact) == postings[number + 1 :]
                assert self.recovered.partition.last_tick == before
            postings = postings[-1:]
        self.recovered.recover(line, postings)

    def _tell_again(self, line: JournalLine) -> None:
        assert line.member_id is not None
        before = fields_beside_due(self.machine.account(line.member_id))
        (posting,) = self._tell(line)
        is_old = posting.occurred_at < self.machine.partition.horizon_at
        assert posting.reason == (Reason.TOO_OLD if is_old else Reason.DUPLICATE)
        assert all(entry.type == EntryType.POINTS_EXPIRED for entry in posting.entries)
        assert not posting.charges + posting.owed + posting.totals
        assert not posting.late
        assert fields_beside_due(self.machine.account(line.member_id)) == before


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + HISTORIES))
def test_the_laws_hold(seed: int) -> None:
    history = histories.history_of(seed)
    lawful = Lawful(history)
    last_at = 0
    for line, _ in histories.play(history.items, (lawful.feed,)):
        last_at = max(last_at, getattr(line.fact, "occurred_at", 0))
    lawful.feed(JournalLine(ClockTicked(last_at + 4_000 * DAY_MS), 0))
    assert accounts_of(lawful.recovered) == accounts_of(lawful.machine)
    assert accounts_digest(lawful.recovered) == accounts_digest(lawful.machine)
