"""The reference for the rows of postings, in plain Python: one per entry, and the states that each posting leaves."""

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Final, TypeVar

from projections.store import Columns
from schemas.posting import DayHeld, Entry, EntryType, PeriodTotals, Posting, Working

FIRST_SEQ: Final = 1
# Stands in for the entry of a posting that has none, so that every posting has a row.
_NO_ENTRY: Final = Entry(entry_id="", type="", points=0, effective_at=0, lot=0, wallet="")
# What an entry does to its lot. A later kind that draws on a part of a lot must say in the posting what remains.
_OPENS_A_LOT: Final = frozenset({EntryType.POINTS_AWARDED})
_EMPTIES_A_LOT: Final = frozenset({EntryType.POINTS_EXPIRED})

_T = TypeVar("_T")
_Numbered = tuple[list[Posting], list[_T], list[int]]


def posting_rows(edition: str, partitions: Sequence[int], postings: Sequence[Posting]) -> dict[str, Columns]:
    """The rows of postings, by table, in the order in which they must be inserted.

    `partitions[i]` is that of `postings[i]`; the postings of a member stand in order of `seq`.

    Raises:
        AssertionError: an entry of a type that these tables do not know.
    """
    return {
        "ledger": _ledger(edition, partitions, postings),
        "workings": _workings(edition, postings),
        "members": _members(edition, partitions, postings),
        "lots": _lots(edition, postings),
        "lot_states": _lot_states(edition, postings),
        "period_totals": _period_totals(edition, postings),
        "check_in_days": _check_in_days(edition, postings),
        "account_states": _account_states(edition, postings),
    }


class _EntryRows:
    """Every entry beside its posting, and each posting without entries beside a stand-in."""

    def __init__(self, partitions: Sequence[int], postings: Sequence[Posting]) -> None:
        self.postings: list[Posting] = []
        self.entries: list[Entry] = []
        self.numbers: list[int] = []
        self.partitions: list[int] = []
        self.balances: list[int] = []
        for partition, posting in zip(partitions, postings, strict=True):
            entries = posting.entries
            if len(entries) < 2:
                self.postings.append(posting)
                self.entries.append(entries[0] if entries else _NO_ENTRY)
                self.numbers.append(1 if entries else 0)
                self.partitions.append(partition)
                self.balances.append(posting.balance)
            else:
                self._add_several(partition, posting, entries)

    def _add_several(self, partition: int, posting: Posting, entries: Sequence[Entry]) -> None:
        self.postings.extend(repeat(posting, len(entries)))
        self.entries.extend(entries)
        self.numbers.extend(range(1, len(entries) + 1))
        self.partitions.extend(repeat(partition, len(entries)))
        running = posting.balance - sum(entry.points for entry in entries)
        for entry in entries:
            running += entry.points
            self.balances.append(running)


def _ledger(edition: str, partitions: Sequence[int], postings: Sequence[Posting]) -> Columns:
    rows = _EntryRows(partitions, postings)
    p = rows.postings
    return {
        "edition": [edition] * len(p),
        "member_id": [x.member_id for x in p],
        "seq": [x.seq for x in p],
        "n": rows.numbers,
        "partition": rows.partitions,
        "number": [x.number for x in p],
        "page": [x.page for x in p],
        "line": [x.line for x in p],
        "sub": [x.sub for x in p],
        "fact_type": [x.fact_type for x in p],
        "source": [x.source for x in p],
        "event_id": [x.event_id for x in p],
        "occurred_at": [x.occurred_at for x in p],
        "local_day": [x.local_day for x in p],
        "store_id": [x.store_id for x in p],
        "order_id": [x.order_id for x in p],
        "reason": [x.reason or "" for x in p],
        "late": [x.late for x in p],
        "ruleset_version": [x.ruleset_version for x in p],
        "ruleset_hash": [x.ruleset_hash for x in p],
        "semantics": [x.semantics for x in p],
        "purchase_rank": [x.purchase_rank for x in p],
        "claim_opened": [x.claim_opened for x in p],
        "claim_paid": [x.claim_paid or "" for x in p],
        "balance_after": rows.balances,
        "effective_at": [
            x.effective_at if x is not _NO_ENTRY else y.occurred_at for x, y in zip(rows.entries, p, strict=True)
        ],
        **_entry_columns(rows.entries),
    }


def _entry_columns(entries: Sequence[Entry]) -> Columns:
    return {
        "entry_id": [x.entry_id for x in entries],
        "entry_type": [x.type for x in entries],
        "points": [x.points for x in entries],
        "lot": [x.lot for x in entries],
        "rule_id": [x.rule_id for x in entries],
        "wallet": [x.wallet for x in entries],
        "available_at": [x.available_at for x in entries],
        "expires_at": [x.expires_at for x in entries],
        "corrects": [x.corrects or "" for x in entries],
    }


def _each(postings: Iterable[Posting], parts: Callable[[Posting], Sequence[_T]]) -> _Numbered[_T]:
    """Every part of every posting, beside its posting and its number from 1."""
    owners: list[Posting] = []
    found: list[_T] = []
    numbers: list[int] = []
    for posting in postings:
        for n, part in enumerate(parts(posting), start=1):
            owners.append(posting)
            found.append(part)
            numbers.append(n)
    return owners, found, numbers


def _workings(edition: str, postings: Sequence[Posting]) -> Columns:
    p, w, n = _each(postings, _workings_of)
    return {
        "edition": [edition] * len(p),
        "member_id": [x.member_id for x in p],
        "seq": [x.seq for x in p],
        "n": n,
        "occurred_at": [x.occurred_at for x in p],
        "local_day": [x.local_day for x in p],
        "fact_type": [x.fact_type for x in p],
        "store_id": [x.store_id for x in p],
        "ruleset_version": [x.ruleset_version for x in p],
        "rule_id": [x.rule_id for x in w],
        "basis": [x.basis for x in w],
        "unit": [x.unit for x in w],
        "rate": [x.rate for x in w],
        "exact": [x.exact for x in w],
        "rounding": [x.rounding for x in w],
        "rounded": [x.rounded for x in w],
        "paid": [x.paid for x in w],
        "factor_rules": [[f.rule_id for f in x.factors] if x.factors else () for x in w],
        "factors": [[f.factor for f in x.factors] if x.factors else () for x in w],
        "factor_basis": [[f.basis for f in x.factors] if x.factors else () for x in w],
        "limit_ids": [x.limit_ids for x in w],
    }


def _members(edition: str, partitions: Sequence[int], postings: Sequence[Posting]) -> Columns:
    opened = [(where, x) for where, x in zip(partitions, postings, strict=True) if x.seq == FIRST_SEQ]
    p = [x for _, x in opened]
    return {
        "edition": [edition] * len(p),
        "member_id": [x.member_id for x in p],
        "partition": [where for where, _ in opened],
        "opened_at": [x.occurred_at for x in p],
        "opened_on": [x.local_day for x in p],
        "fact_type": [x.fact_type for x in p],
        "source": [x.source for x in p],
        "event_id": [x.event_id for x in p],
        "store_id": [x.store_id for x in p],
    }


def _lots(edition: str, postings: Sequence[Posting]) -> Columns:
    p: list[Posting] = []
    e: list[Entry] = []
    for posting in postings:
        for entry in posting.entries:
            if entry.type in _OPENS_A_LOT:
                p.append(posting)
                e.append(entry)
            elif entry.type not in _EMPTIES_A_LOT:
                raise AssertionError(f"entry {entry.entry_id} has type {entry.type!r}, which no table knows")
    return {
        "edition": [edition] * len(p),
        "member_id": [x.member_id for x in p],
        "lot": [x.lot for x in e],
        "seq": [x.seq for x in p],
        "points": [x.points for x in e],
        "wallet": [x.wallet for x in e],
        "occurred_at": [x.occurred_at for x in p],
        "available_at": [x.effective_at if x.available_at is None else x.available_at for x in e],
        "expires_at": [x.expires_at for x in e],
        "rule_id": [x.rule_id for x in e],
        "source": [x.source for x in p],
        "event_id": [x.event_id for x in p],
        "order_id": [x.order_id for x in p],
        "store_id": [x.store_id for x in p],
    }


def _lot_states(edition: str, postings: Sequence[Posting]) -> Columns:
    p, e, _ = _each(postings, _entries_that_empty)
    return {
        "edition": [edition] * len(p),
        "member_id": [x.member_id for x in p],
        "lot": [x.lot for x in e],
        "seq": [x.seq for x in p],
        "remaining": [0] * len(p),
        "changed_at": [x.effective_at for x in e],
    }


def _period_totals(edition: str, postings: Sequence[Posting]) -> Columns:
    p, t, _ = _each(postings, _totals_of)
    return {
        "edition": [edition] * len(p),
        "scope": [x.scope for x in t],
        "day": [x.day for x in t],
        "member_id": [x.member_id for x in p],
        "seq": [x.seq for x in p],
        "earned_day": [x.earned_day for x in t],
        "earned_week": [x.earned_week for x in t],
        "earned_month": [x.earned_month for x in t],
        "earned_year": [x.earned_year for x in t],
        "earned_ever": [x.earned_ever for x in t],
        "reached_at": [x.reached_at for x in t],
    }


def _check_in_days(edition: str, postings: Sequence[Posting]) -> Columns:
    p, d, _ = _each(postings, _day_of)
    return {
        "edition": [edition] * len(p),
        "member_id": [x.member_id for x in p],
        "day": [x.day for x in d],
        "seq": [x.seq for x in p],
        "run_length": [x.run_length for x in d],
    }


def _account_states(edition: str, postings: Sequence[Posting]) -> Columns:
    # Only a member's last posting of the batch: an older state would be replaced at once.
    p = list({x.member_id: x for x in postings}.values())
    return {
        "edition": [edition] * len(p),
        "member_id": [x.member_id for x in p],
        "seq": [x.seq for x in p],
        "balance": [x.balance for x in p],
        "occurred_at": [x.occurred_at for x in p],
        "fact_type": [x.fact_type for x in p],
    }


def _workings_of(posting: Posting) -> Sequence[Working]:
    return posting.workings


def _entries_that_empty(posting: Posting) -> Sequence[Entry]:
    entries = posting.entries
    return [entry for entry in entries if entry.type in _EMPTIES_A_LOT] if entries else entries


def _totals_of(posting: Posting) -> Sequence[PeriodTotals]:
    return posting.totals


def _day_of(posting: Posting) -> Sequence[DayHeld]:
    return () if posting.day_held is None else (posting.day_held,)
