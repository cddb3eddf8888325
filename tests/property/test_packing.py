"""Where accounts lie changes nothing: packed at once, never packed, or restored from snapshots, they post the same."""

from random import Random
from typing import Final

import msgspec
import pytest

from processors.decider.account import FAR_FUTURE, Account
from processors.decider.account_store import MAX_LIVE_ACCOUNTS, AccountStore
from processors.decider.accounts_digest import accounts_digest, canonical_account
from processors.decider.due_calendar import DueCalendar
from processors.decider.partition_machine import PartitionMachine
from schemas.facts import ClockTicked
from schemas.pages import JournalLine
from schemas.posting import Posting
from tests.property import histories
from tests.support.deciders import load, opened

FIRST_SEED: Final = 30_001
HISTORIES: Final = 150


class Restarting:
    """A machine that now and then goes on as another one, which took over its snapshot."""

    def __init__(self, history: histories.History, live_accounts: int) -> None:
        self._random = Random(history.seed)
        self._opened = history.opened
        self._live_accounts = live_accounts
        self.machine = self._fresh()

    def feed(self, line: JournalLine) -> list[Posting]:
        if self._random.random() < 0.15:
            before, after = self.machine, self._fresh()
            after.restore(
                list(before.accounts.members()),
                list(before.accounts.packed()),
                before.due_work(),
                last_tick=before.partition.last_tick,
                publications=before.partition.publications,
            )
            self.machine = after
        return self.machine.feed(line)

    def _fresh(self) -> PartitionMachine:
        return PartitionMachine(self._opened, (), load, live_accounts=self._live_accounts)


def test_accounts_post_the_same_wherever_they_lie() -> None:
    most_members = 0
    for seed in range(FIRST_SEED, FIRST_SEED + HISTORIES):
        history = histories.history_of(seed)
        live = PartitionMachine(history.opened, (), load)
        packed = PartitionMachine(history.opened, (), load, live_accounts=1)
        restarting = Restarting(history, live_accounts=2)
        recovered = PartitionMachine(history.opened, (), load, live_accounts=3)
        for line, heard in histories.play(history.items, (live.feed, packed.feed, restarting.feed)):
            assert heard[0] == heard[1] == heard[2], f"seed {seed}: {line.fact}"
            recovered.recover(line, heard[0])
        digest = accounts_digest(live)
        for other in (packed, restarting.machine, recovered):
            assert accounts_digest(other) == digest, f"seed {seed}"
            assert list(other.accounts.members()) == list(live.accounts.members())
        most_members = max(most_members, len(live.accounts))
    assert most_members > 3, "more members than accounts that may be live"


def test_the_digest_tells_accounts_apart() -> None:
    digests = set()
    for seed in range(FIRST_SEED, FIRST_SEED + 5):
        history = histories.history_of(seed)
        machine = PartitionMachine(history.opened, (), load)
        digests.add(accounts_digest(machine))
        for line, (postings,) in histories.play(history.items, (machine.feed,)):
            before = len(digests)
            digests.add(accounts_digest(machine))
            assert len(digests) > before or not postings or isinstance(line.fact, ClockTicked)
    assert len(digests) > 20


def test_the_digest_is_that_of_the_accounts_however_they_came_to_be() -> None:
    one, other = (PartitionMachine(opened(), (), load) for _ in range(2))
    ann = Account("ann", seq=3, seen={"a/1": (5, b"x"), "a/2": (6, b"y")}, totals={"": {1: 2, 3: 4}, "s": {}})
    ben = Account("ben", counters={"a|day:2026-01-01": 1, "b|lifetime": 2})
    for account in (ann, ben):
        one.accounts.put(account)
    turned = Account("ann", seq=3, totals={"s": {}, "": {3: 4, 1: 2}}, forget_next_at=FAR_FUTURE)
    turned.seen = dict(reversed(ann.seen.items()))
    for account in (msgspec.structs.replace(ben, counters=dict(reversed(ben.counters.items()))), turned):
        other.accounts.put(account)
    assert accounts_digest(one) == accounts_digest(other)
    assert canonical_account(one.partition, ann) == canonical_account(one.partition, turned)
    turned.balance = 1
    assert accounts_digest(one) != accounts_digest(other)


@pytest.mark.parametrize("live", [1, 2, 3, 10, MAX_LIVE_ACCOUNTS])
def test_what_was_put_is_found(live: int) -> None:
    random, accounts, expected = Random(live), AccountStore(live=live), dict[str, Account]()
    for number in range(2_000):
        member_id = f"m{random.randrange(40)}"
        found = accounts.get(member_id)
        assert found == expected.get(member_id)
        if random.random() < 0.7:
            changed = found or Account(member_id)
            changed.balance = number
            accounts.put(changed)
            expected[member_id] = msgspec.structs.replace(changed)
    assert list(accounts.members()) == list(expected)
    assert len(accounts) == len(expected) == 40
    assert list(accounts) == list(expected.values())
    unpacked = [msgspec.msgpack.decode(packed, type=Account) for packed in accounts.packed()]
    assert unpacked == list(expected.values())


def test_so_many_accounts_are_live_and_no_more() -> None:
    packed: list[str] = []
    accounts = AccountStore(lambda account: packed.append(account.member_id), live=10)
    for number in range(100):
        accounts.put(Account(f"m{number}"))
        assert number + 1 - len(packed) <= 10
    assert accounts.get("m0") == Account("m0")


def test_the_calendar_knows_what_is_due_and_nothing_else() -> None:
    calendar = DueCalendar()
    for due_at, member_id in ((5, "b"), (5, "a"), (5, "b"), (3, "c"), (9, "d"), (9, "\U00010000"), (9, "\uffff")):
        calendar.register(due_at, member_id)
    assert calendar.due(2) == []
    assert calendar.due(3) == ["c"]
    assert calendar.due(5) == ["a", "b", "c"]
    assert calendar.due(9)[-3:] == sorted(["d", "\uffff", "\U00010000"], key=str.encode)
    members = ["a", "b", "c", "d", "e", "\uffff", "\U00010000"]
    registered = calendar.registered(members)
    assert sorted(registered) == [(3, [2]), (5, [1, 0, 1]), (9, [3, 6, 5])]
    calendar.pass_by(5)
    assert "a" not in calendar.due(100)
    again = DueCalendar()
    again.restore(members, registered)
    again.pass_by(5)
    assert again.due(100) == calendar.due(100)
