"""Compares what two worlds made of one member: awards line by line, expiries by local day, the accounts at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from processors.decider.account import FAR_FUTURE, Account
from processors.replay.rescore.differences import Cause, LineDifference, LotsLeft, MemberDifference
from schemas.pages import Folio
from schemas.posting import Entry, EntryType, Posting

Item = TypeVar("Item")
OnLine = Callable[[LineDifference], object]


class Expired(msgspec.Struct):
    """What expired of one account on one local day, as signed points, and the posting that wrote the first of it."""

    place: Folio
    posting: Posting
    wallet: str
    before: int = 0
    after: int = 0


class Parted(msgspec.Struct):
    """Where an account parted from that of the books, how many lines differ since, and what expired by local day."""

    place: Folio
    lines: int = 0
    expired: dict[int, Expired] = {}

    def compare(
        self,
        before: Posting | None,
        after: Posting | None,
        place: Folio,
        on_line: OnLine,
        *,
        cause_of: Callable[[Posting, str], Cause],
        day_of: Callable[[int], int],
    ) -> None:
        """Tell where the postings that one line made in both worlds differ; None for none at all.

        `cause_of` says why a rule awards otherwise, `day_of` on which local day (since 1970) an instant falls.
        """
        posting = either(before, after)
        one, other = _awards(before), _awards(after)
        for key in dict.fromkeys([*one, *other]):
            first, second = one.get(key), other.get(key)
            if first is None or second is None or _worth(first) != _worth(second):
                self.lines += 1
                cause = cause_of(posting, key[0])
                on_line(_line_of_award(place, (before, after), (first, second), cause))
        for entry in _expiries(before):
            self._expired(posting, entry, place, day_of).before += entry.points
        for entry in _expiries(after):
            self._expired(posting, entry, place, day_of).after += entry.points

    def finish(self, one: Account, other: Account, on_line: OnLine) -> MemberDifference | None:
        """Tell what expired otherwise; the member's difference, if the accounts or any line differ."""
        for day, expired in sorted(self.expired.items()):
            if expired.before != expired.after:
                self.lines += 1
                on_line(_line_of_expiry(day, expired))
        left = _lots_left(one, other)
        if not self.lines and not left and one.earned == other.earned:
            return None
        return MemberDifference(
            member_id=one.member_id,
            page=self.place.page,
            line=self.place.line,
            lines=self.lines,
            balance_before=one.balance,
            balance_after=other.balance,
            earned_before=one.earned,
            earned_after=other.earned,
            left=left,
        )

    def _expired(self, posting: Posting, entry: Entry, place: Folio, day_of: Callable[[int], int]) -> Expired:
        day = day_of(entry.effective_at)
        expired = self.expired.get(day)
        if expired is None:
            expired = self.expired[day] = Expired(place, posting, entry.wallet)
        return expired


def either(one: Item | None, other: Item | None) -> Item:
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


def _line_of_award(
    place: Folio,
    postings: tuple[Posting | None, Posting | None],
    awards: tuple[Entry | None, Entry | None],
    cause: Cause,
) -> LineDifference:
    posting, award = either(*postings), either(*awards)
    days = [each.local_day for each in postings if each is not None and each.local_day is not None]
    points = [0 if each is None else each.points for each in awards]
    reasons = ["" if each is None else each.reason or "" for each in postings]
    expires = [None if each is None else each.expires_at for each in awards]
    return LineDifference(
        page=place.page,
        line=place.line,
        member_id=posting.member_id,
        cause=cause,
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


def _line_of_expiry(day: int, expired: Expired) -> LineDifference:
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
