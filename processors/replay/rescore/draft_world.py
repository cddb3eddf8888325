"""Holds one draft beside the books: the accounts that have parted from theirs, and every difference found."""

from __future__ import annotations

from collections.abc import Iterator

from processors.decider.account import Account
from processors.decider.account_store import copy_of
from processors.decider.local_time import LocalMoment
from processors.decider.partition_machine import Load, PartitionMachine
from processors.replay.rescore.compare import OnLine, Parted, either
from processors.replay.rescore.differences import Cause, MemberDifference
from processors.replay.rescore.terms import Terms, terms_of
from schemas.bounds import DAY_MS
from schemas.facts import MemberFact
from schemas.pages import Folio
from schemas.posting import Posting


class DraftWorld:
    """The accounts of one partition under other rules, as far as they have parted from those of the books (`base`).

    `machine` holds them. `on_line` is told every line that differs; what expired otherwise is told by `finish`.
    """

    def __init__(self, base: PartitionMachine, machine: PartitionMachine, load: Load, on_line: OnLine) -> None:
        self.machine = machine
        self._base = base
        self._load = load
        self._on_line = on_line
        self._parted: dict[str, Parted] = {}
        self._alike: dict[tuple[int, int, str], bool] = {}

    @property
    def parted(self) -> int:
        """How many members have an account of their own here."""
        return len(self._parted)

    def has_parted(self, member_id: str) -> bool:
        """Whether this world has an account of its own for a member."""
        return member_id in self._parted

    def decides_alike(self, fact: MemberFact) -> bool:
        """Whether the rules say the same of this fact in both worlds, to accounts that are alike."""
        at, kind = fact.occurred_at, type(fact).__name__
        one, other = self._base.partition.rules_at(at), self.machine.partition.rules_at(at)
        if one is other:
            return True
        key = (id(one), id(other), kind)  # the partitions keep all rules that they have compiled
        alike = self._alike.get(key)
        if alike is None:
            before, after = self._terms(at)
            alike = before is not None and after is not None and before.kind(kind) == after.kind(kind)
            self._alike[key] = alike
        return alike

    def part(self, account: Account, place: Folio) -> Account:
        """Copy an account that served both worlds so far; its copy."""
        copied = copy_of(account)
        self.machine.adopt(copied)
        self._parted[account.member_id] = Parted(place)
        return copied

    def compare(self, before: Posting | None, after: Posting | None, place: Folio) -> None:
        """Note where the postings that one line made in both worlds differ; None for none at all."""
        parted = self._parted[either(before, after).member_id]
        parted.compare(before, after, place, self._on_line, cause_of=self._cause, day_of=self._day)

    def finish(self) -> Iterator[MemberDifference]:
        """Tell what expired otherwise, and give the members with other accounts or lines, in order of their ids."""
        for member_id, parted in sorted(self._parted.items()):
            found = parted.finish(self._base.account(member_id), self.machine.account(member_id), self._on_line)
            if found is not None:
                yield found

    def _terms(self, at: int) -> list[Terms | None]:
        """What the rules say at an instant in both worlds; None where there are none."""
        published = [machine.partition.published_at(at) for machine in (self._base, self.machine)]
        return [None if each is None else terms_of(each, self._load) for each in published]

    def _cause(self, posting: Posting, rule_id: str) -> Cause:
        """The rule says something else on that day, or is there in one world only; else the account was another."""
        said = [None if each is None else each.of_rule.get(rule_id) for each in self._terms(posting.occurred_at)]
        return Cause.KNOCK_ON if said[0] == said[1] else Cause.DIRECT

    def _day(self, at: int) -> int:
        """The local day (since 1970) of an instant."""
        rules = self._base.partition.rules_at(at) or self.machine.partition.rules_at(at)
        return at // DAY_MS if rules is None else LocalMoment(rules.zone, at).day
