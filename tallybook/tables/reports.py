"""Reports a member's balance and statement, and leaderboards: printed for people, or as data for JSON."""

from datetime import date
from typing import Any, Final

import msgspec

from projections.answers import queries as readers
from projections.answers.queries import Period
from projections.store import Store
from schemas.instants import format_instant
from schemas.posting import EntryType
from tallybook.folder.folder import FolderRefused
from tallybook.screen import counted, say, show_table

ALL_TIME: Final = "all"
PERIODS: Final = (*(str(period) for period in Period if period is not Period.EVER), ALL_TIME)
MAX_EXPIRING_SHOWN: Final = 5
_NEAREST: Final = (
    "SELECT member_id FROM tallybook.balances "
    "ORDER BY damerauLevenshteinDistance(member_id, {member:String}), member_id LIMIT 3"
)
_WORDS: Final[dict[str, str]] = {EntryType.POINTS_AWARDED: "awarded", EntryType.POINTS_EXPIRED: "expired"}


class UnknownMember(FolderRefused):
    """No account has this id; the message names the nearest that there are."""


class OutsideCalendar(FolderRefused):
    """A date that ClickHouse cannot hold."""


def balance_of(store: Store, member_id: str) -> dict[str, Any]:
    """Gather what a member has, and what of it expires next; instants as RFC 3339. Raises UnknownMember."""
    found = readers.balance(store, member_id)
    if found is None:
        raise UnknownMember(_unknown(store, member_id))
    lots = [plain(lot) for lot in readers.lots(store, member_id) if lot.expires_at is not None]
    shown = lots[:MAX_EXPIRING_SHOWN]
    return plain(found) | {"expiring": shown, "expiring_later": len(lots) - len(shown)}


def statement_of(store: Store, member_id: str, limit: int) -> dict[str, Any]:
    """Gather the last entries of a member, newest last, with what `balance_of` says. Raises UnknownMember."""
    return balance_of(store, member_id) | {
        "entries": [plain(line) for line in readers.statement(store, member_id, limit)]
    }


def leaderboard_of(store: Store, *, period: str, at: date | None, store_id: str, limit: int) -> dict[str, Any]:
    """Gather who earned most in a period (one of PERIODS) around a local date (None: that of the last tick).

    Raises:
        OutsideCalendar: no leaderboard can have this date.
    """
    asked = Period.EVER if period == ALL_TIME else Period(period)
    try:
        board = readers.leaderboard(store, asked, at, store_id, limit)
    except ValueError as error:
        raise OutsideCalendar(str(error)) from error
    return {
        "period": period,
        "starts_on": None if period == ALL_TIME else board.starts_on.isoformat(),
        "ends_before": None if period == ALL_TIME else board.ends_before.isoformat(),
        "store_id": store_id,
        "as_of": as_of(store),
        "places": [plain(place) for place in board.places],
    }


def as_of(store: Store) -> str | None:
    """The last tick as RFC 3339; None before the first one."""
    ticks = [line.as_of for line in readers.progress(store)]
    return format_instant(min(tick for tick in ticks if tick is not None)) if any(ticks) else None


def print_balance(store: Store, member_id: str) -> None:
    """Print a balance for people."""
    found = balance_of(store, member_id)
    say(f"{member_id}: {counted(found['balance'], 'point')} {told_as_of(found['as_of'])}")
    _print_expiring(found)


def print_statement(store: Store, member_id: str, limit: int) -> None:
    """Print a statement for people: entries with the running balance, newest last, and what expires next."""
    found = statement_of(store, member_id, limit)
    rows = [
        {
            "when": line["effective_at"],
            "entry": _WORDS.get(line["entry_type"], line["entry_type"]),
            "points": line["points"],
            "balance": line["balance_after"],
            "rule": line["rule_id"],
            "lot": line["lot"],
            "event": f"{line['source']}/{line['event_id']}",
            "late": "late" if line["late"] else "",
        }
        for line in found["entries"]
    ]
    show_table(f"{member_id}: the last {counted(len(rows), 'entry', 'entries')}", rows)
    say(f"{counted(found['balance'], 'point')} {told_as_of(found['as_of'])}")
    _print_expiring(found)


def print_leaderboard(store: Store, *, period: str, at: date | None, store_id: str, limit: int) -> None:
    """Print a leaderboard for people."""
    board = leaderboard_of(store, period=period, at=at, store_id=store_id, limit=limit)
    when = "of all time" if board["starts_on"] is None else f"of the {period} from {board['starts_on']}"
    where = f" in store {store_id}" if store_id else ""
    columns = {"rank": "place", "member_id": "member", "earned": "points earned", "reached_at": "reached"}
    show_table(f"Leaderboard {when}{where}, {told_as_of(board['as_of'])}", board["places"], columns)


def plain(record: msgspec.Struct) -> dict[str, Any]:
    """Turn a record of a reader into plain data, its instants into RFC 3339."""
    content: dict[str, Any] = msgspec.to_builtins(record)
    for name, value in content.items():
        if (name.endswith("_at") or name == "as_of") and isinstance(value, int):
            content[name] = format_instant(value)
    return content


def _print_expiring(found: dict[str, Any]) -> None:
    for lot in found["expiring"]:
        say(f"  {lot['remaining']:,} from {lot['rule_id']} can be used until {lot['last_day']} (lot {lot['lot']})")
    if found["expiring_later"]:
        say(f"  … and {counted(found['expiring_later'], 'more lot')} usable as long, or longer")


def told_as_of(instant: str | None) -> str:
    """How far the tables are scored, for people."""
    return f"as of {instant}" if instant else "before the first tick"


def _unknown(store: Store, member_id: str) -> str:
    near = [str(row["member_id"]) for row in store.rows(_NEAREST, {"member": member_id})]
    none = "There are no members at all yet: import something first, or let a running import end."
    hint = f"The nearest are {', '.join(near)}." if near else none
    return f"there is no member {member_id!r}. {hint}"
