"""Holds one draft beside the books: the accounts that have parted from theirs, and every difference found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import msgspec

from processors.decider.account import FAR_FUTURE, Account
from processors.decider.account_store import copy_of
from processors.decider.local_time import LocalMoment
from processors.decider.partition_machine import Load, PartitionMachine
from processors.replay.rescore.differences import Cause, LineDifference, LotsLeft, MemberDifference
from processors.replay.rescore.terms import Terms, terms_of
from schemas.bounds import DAY_MS
from schemas.facts import JournalOpened, MemberFact
from schemas.pages import Folio
from schemas.posting import Entry, EntryType, Posting, RuleLayer

Item = TypeVar("Item")
OnLine = Callable[[LineDifference], object]


class _Expired(msgspec.Struct):
    """What expired of one account on one local day, as signed points, and the posting that wrote the first of it."""

    place: Folio
    posting: Posting
    wallet: str
    before: int = 0
    after: int = 0


class _Parted(msgspec.Struct):
    """Where an account parted from that of the books, how many lines differ since, and what expired by local day."""

    place: Folio
    lines: int = 0
    expired: dict[int, _Expired] = {}


class DraftWorld:
    """The accounts of one partition under other rules, as far as they have parted from those of the books (`base`).

    `on_line` is told every line that differs; what expired otherwise is told by `finish`.
    """

    def __init__(
        self, base: PartitionMachine, opened: JournalOpened, layers: Sequence[RuleLayer], load: Load, on_line: OnLine
    ) -> None:
        self.machine = PartitionMachine(opened, layers, load)
        self._base = base
        self._load = load
        self._on_line = on_line
        self._parted: dict[str, _Parted] = {}
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
        self._parted[account.member_id] = _Parted(place)
        return copied

    def compare(self, before: Posting | None, after: Posting | None, place: Folio) -> None:
        """Note where the postings that one line made in both worlds differ; None for none at all."""
        posting = _either(before, after)
        parted = self._parted[posting.member_id]
        one, other = _awards(before), _awards(after)
        for key in dict.fromkeys([*one, *other]):
            first, second = one.get(key), other.get(key)
            if first is None or second is None or _worth(first) != _worth(second):
                parted.lines += 1
                self._on_line(self._line(place, (before, after), (first, second)))
        for entry in _expiries(before):
            self._expired(parted, posting, entry, place).before += entry.points
        for entry in _expiries(after):
            self._expired(parted, posting, entry, place).after += entry.points

    def finish(self) -> Iterator[MemberDifference]:
        """Tell what expired otherwise, and give the members with other accounts or lines, in order of their ids."""
        for member_id, parted in sorted(self._parted.items()):
            for day, expired in sorted(parted.expired.items()):
                if expired.before != expired.after:
                    parted.lines += 1
                    self._on_line(_line_of_expiry(day, expired))
            one, other = self._base.account(member_id), self.machine.account(member_id)
            left = _lots_left(one, other)
            if parted.lines or left or one.earned != other.earned:
                yield MemberDifference(
                    member_id=member_id,
                    page=parted.place.page,
                    line=parted.place.line,
                    lines=parted.lines,
                    balance_before=one.balance,
                    balance_after=other.balance,
                    earned_before=one.earned,
                    earned_after=other.earned,
                    left=left,
                )

    def _terms(self, at: int) -> list[Terms | None]:
        """What the rules say at an instant in both worlds; None where there are none."""
        published = [machine.partition.published_at(at) for machine in (self._base, self.machine)]
        return [None if each is None else terms_of(each, self._load) for each in published]

    def _line(
        self, place: Folio, postings: tuple[Posting | None, Posting | None], awards: tuple[Entry | None, Entry | None]
    ) -> LineDifference:
        posting, award = _either(*postings), _either(*awards)
        said = [None if each is None else each.of_rule.get(award.rule_id) for each in self._terms(posting.occurred_at)]
        days = [each.local_day for each in postings if each is not None and each.local_day is not None]
        points = [0 if each is None else each.points for each in awards]
        reasons = ["" if each is None else each.reason or "" for each in postings]
        expires = [None if each is None else each.expires_at for each in awards]
        return LineDifference(
            page=place.page,
            line=place.line,
            member_id=posting.member_id,
            # The rule says something else on that day, or is there in one world only; else the account was another.
            cause=Cause.KNOCK_ON if said[0] == said[1] else Cause.DIRECT,
            fact_type=posting.fact_type,
            source=posting.source,
            event_id=posting.event_id,
            occurred_at=posting.occurred_at,
            points_before=points[0],
            points_after=points[1],
            rule_id=award.rule_id,
            wallet=award.wallet,
            local_day=days[0] if days else None,
            store_id=posting.store_id,
            reason_before=reasons[0],
            reason_after=reasons[1],
            expires_before=expires[0],
            expires_after=expires[1],
        )

    def _expired(self, parted: _Parted, posting: Posting, entry: Entry, place: Folio) -> _Expired:
        at = entry.effective_at
        rules = self._base.partition.rules_at(at) or self.machine.partition.rules_at(at)
        day = at // DAY_MS if rules is None else LocalMoment(rules.zone, at).day
        expired = parted.expired.get(day)
        if expired is None:
            expired = parted.expired[day] = _Expired(place, posting, entry.wallet)
        return expired


def _either(one: Item | None, other: Item | None) -> Item:
    """The first of two of which one may be missing."""
    found = other if one is None else one
    if found is None:
        raise AssertionError("nothing is compared with nothing")
    return found


def _awards(posting: Posting | None) -> dict[tuple[str, str], Entry]:
    """The awards of a posting by rule and wallet; a rule awards a fact once."""
    entries = () if posting is None else posting.entries
    return {(entry.rule_id, entry.wallet): entry for entry in entries if entry.type == EntryType.POINTS_AWARDED}


def _expiries(posting: Posting | None) -> list[Entry]:
    entries = () if posting is None else posting.entries
    return [entry for entry in entries if entry.type == EntryType.POINTS_EXPIRED]


def _worth(entry: Entry) -> tuple[int, int | None]:
    return entry.points, entry.expires_at


def _line_of_expiry(day: int, expired: _Expired) -> LineDifference:
    posting = expired.posting
    return LineDifference(
        page=expired.place.page,
        line=expired.place.line,
        member_id=posting.member_id,
        cause=Cause.EXPIRY,
        fact_type=posting.fact_type,
        source=posting.source,
        event_id=posting.event_id,
        occurred_at=posting.occurred_at,
        points_before=expired.before,
        points_after=expired.after,
        wallet=expired.wallet,
        local_day=day,
    )


def _lots_left(one: Account, other: Account) -> tuple[LotsLeft, ...]:
    """The expiry instants at which the two accounts hold another amount, soonest first."""
    sums: dict[int, list[int]] = {}
    for which, account in enumerate((one, other)):
        for lot in account.lots:
            sums.setdefault(lot.expires_at, [0, 0])[which] += lot.remaining
    return tuple(
        LotsLeft(None if expires_at == FAR_FUTURE else expires_at, before, after)
        for expires_at, (before, after) in sorted(sums.items())
        if before != after
    )
