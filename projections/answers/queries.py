"""What the command line asks of the views, each answer as a typed record.

All instants are UTC milliseconds since 1970. Everything a person typed reaches ClickHouse as a bound parameter.
"""

from datetime import date, timedelta
from enum import StrEnum
from typing import Final, TypeVar

import msgspec

from projections.sql_files import sql_file
from projections.store import Parameters, Store

MAX_LINES: Final = 100_000
MAX_KEYS: Final = 1_000
WHOLE_PROGRAMME: Final = ""
# The dates that ClickHouse can hold.
FIRST_DAY: Final = date(1970, 1, 1)
LAST_DAY: Final = date(2299, 12, 31)

_T = TypeVar("_T")


class Period(StrEnum):
    """The periods of a leaderboard: local calendar days, ISO weeks, months and years, and all time."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"
    EVER = "ever"


class Balance(msgspec.Struct, frozen=True):
    """What a member has since the fact or tick at `updated_at`; `as_of` is the last tick (None before the first)."""

    member_id: str
    balance: int
    postings: int
    updated_at: int
    updated_by: str
    as_of: int | None


class StatementLine(msgspec.Struct, frozen=True):
    """One entry of an account, `points` with its sign, and the balance after it."""

    seq: int
    n: int
    effective_at: int
    entry_type: str
    points: int
    balance_after: int
    rule_id: str
    lot: int
    expires_at: int | None
    fact_type: str
    source: str
    event_id: str
    occurred_at: int
    store_id: str
    order_id: str
    late: bool
    entry_id: str


class LotLine(msgspec.Struct, frozen=True):
    """The points of one award; `last_day` is the last local date on which they can be spent."""

    lot: int
    points: int
    remaining: int
    wallet: str
    available_at: int
    expires_at: int | None
    last_day: date | None
    rule_id: str
    source: str
    event_id: str
    order_id: str
    store_id: str


class MemberLine(msgspec.Struct, frozen=True):
    """A member, and how the account was opened."""

    member_id: str
    opened_at: int
    opened_on: date
    opened_by: str
    balance: int
    postings: int
    updated_at: int


class Place(msgspec.Struct, frozen=True):
    """A place on a leaderboard, from 1; `earned` is gross, `reached_at` is when that total was reached."""

    rank: int
    member_id: str
    earned: int
    reached_at: int


class Leaderboard(msgspec.Struct, frozen=True):
    """Who earned most from local date `starts_on` until before `ends_before`; `store_id` "" is the whole programme."""

    period: Period
    starts_on: date
    ends_before: date
    store_id: str
    places: list[Place]


class ProgressLine(msgspec.Struct, frozen=True):
    """How far one partition of a book (journal, ledger, rejects) has been projected."""

    book: str
    edition: str
    partition: int
    position: int
    records: int
    as_of: int | None


class KeyOfTwoMembers(msgspec.Struct, frozen=True):
    """A publisher's key under which facts of several members came: probably one event that was told of both."""

    key: str
    source: str
    event_id: str
    member_ids: list[str]


class _NextPage(msgspec.Struct, frozen=True):
    partition: int
    page: int


class _Day(msgspec.Struct, frozen=True):
    day: date


def next_pages(store: Store) -> list[int]:
    """The page of the journal that each partition goes on with in the tables, by partition from 0."""
    found = {one.partition: one.page for one in _ask(store, "next_pages", {}, _NextPage)}
    return [found.get(partition, 0) for partition in range(max(found, default=-1) + 1)]


def keys_of_two_members(store: Store, first_pages: list[int]) -> list[KeyOfTwoMembers]:
    """The keys with several members for which there are facts on pages from these on, as `next_pages` gave them."""
    parameters = {"first_pages": first_pages, "limit": MAX_KEYS}
    return _ask(store, "keys_of_two_members", parameters, KeyOfTwoMembers)


def balance(store: Store, member: str) -> Balance | None:
    """What a member has now, or None if there is no such account."""
    found = _ask(store, "balance", {"member": member}, Balance)
    return found[0] if found else None


def statement(store: Store, member: str, limit: int = 20) -> list[StatementLine]:
    """The last `limit` entries of an account, oldest first."""
    return _ask(store, "statement", {"member": member, "limit": _bounded(limit)}, StatementLine)


def lots(store: Store, member: str, *, open_only: bool = True) -> list[LotLine]:
    """The lots of a member in the order in which they would be spent; by default those that still hold points."""
    return _ask(store, "lots", {"member": member, "open_only": open_only}, LotLine)


def members(store: Store, after: str = "", limit: int = 20) -> list[MemberLine]:
    """A page of members in order of the bytes of their ids, beginning behind the member `after`."""
    return _ask(store, "members", {"after": after, "limit": _bounded(limit)}, MemberLine)


def leaderboard(
    store: Store,
    period: Period = Period.MONTH,
    at: date | None = None,
    store_id: str = WHOLE_PROGRAMME,
    limit: int = 10,
) -> Leaderboard:
    """Who earned most in the period around local date `at` (None: the day of the last tick), best first."""
    day = _ask(store, "leaderboard_day", {}, _Day)[0].day if at is None else at
    first, after = span(period, day)
    asked = {"period": str(period), "first": first, "after": after, "store": store_id, "limit": _bounded(limit)}
    return Leaderboard(period, first, after, store_id, _ask(store, "leaderboard", asked, Place))


def span(period: Period, day: date) -> tuple[date, date]:
    """The first local date of the period around `day`, and the first after it; ValueError beyond ClickHouse's dates."""
    if not FIRST_DAY <= day < LAST_DAY.replace(month=1, day=1):
        raise ValueError(f"a leaderboard's date lies between {FIRST_DAY} and {LAST_DAY.year - 1}, not at {day}")
    match period:
        case Period.DAY:
            return day, day + timedelta(days=1)
        case Period.WEEK:
            monday = day - timedelta(days=day.weekday())
            return monday, monday + timedelta(days=7)
        case Period.MONTH:
            first = day.replace(day=1)
            return first, (first + timedelta(days=31)).replace(day=1)
        case Period.YEAR:
            return day.replace(month=1, day=1), day.replace(year=day.year + 1, month=1, day=1)
        case Period.EVER:
            return FIRST_DAY, LAST_DAY


def conflicts(store: Store) -> int:
    """How many facts had no effect because another one of their key, with other content, was there before."""
    return int(str(store.rows(sql_file("answers", "conflicts").statement)[0]["conflicts"]))


def progress(store: Store) -> list[ProgressLine]:
    """How far each book has been projected."""
    return _ask(store, "progress", {}, ProgressLine)


def _ask(store: Store, name: str, parameters: Parameters, line: type[_T]) -> list[_T]:
    return [msgspec.convert(row, line) for row in store.rows(sql_file("answers", name).statement, parameters)]


def _bounded(limit: int) -> int:
    if not 1 <= limit <= MAX_LINES:
        raise ValueError(f"a limit is between 1 and {MAX_LINES:,}, not {limit}")
    return limit
