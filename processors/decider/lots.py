"""Lots: the order in which they are spent, which of them are due, and how awards open and expiries close them."""

from bisect import bisect_right, insort
from typing import Final

from processors.decider.account import FAR_FUTURE, Account, Lot
from schemas.entry_ids import expiry_entry_id
from schemas.posting import Entry, EntryType

_AWARDED: Final = EntryType.POINTS_AWARDED
_EXPIRED: Final = EntryType.POINTS_EXPIRED


def lot_order(lot: Lot) -> tuple[int, int, int]:
    """Spending order: soonest expiry, then earliest award, then number."""
    return (lot.expires_at, lot.available_at, lot.number)


def due_entries(account: Account, until: int) -> list[Entry]:
    """The expiries of every lot whose last instant is at or before `until`, in order of (due instant, lot)."""
    lots = account.lots
    if not lots or lots[0].expires_at > until:
        return []
    due: list[Lot] = []
    for lot in lots:
        if lot.expires_at > until:
            break
        due.append(lot)
    due.sort(key=lambda lot: (lot.expires_at, lot.number))
    return [expiry(account.member_id, lot.number, lot.remaining, lot.available_at, lot.expires_at) for lot in due]


def lots_due(account: Account, until: int) -> int:
    """How many lots `due_entries` would close."""
    return bisect_right(account.lots, until, key=lambda lot: lot.expires_at)


def expiry(member_id: str, lot: int, points: int, available_at: int, expires_at: int) -> Entry:
    """The entry that ends a lot. It counts from when it was due; a lot that was born expired, from its birth."""
    due_at = max(expires_at, available_at)
    return Entry(
        entry_id=expiry_entry_id(member_id, lot, due_at),
        type=EntryType.POINTS_EXPIRED,
        points=-points,
        effective_at=due_at,
        lot=lot,
    )


def enter(account: Account, entry: Entry) -> None:
    """Bring the account's lots and sums forward by one entry."""
    if entry.type == _AWARDED:
        if entry.available_at is None or entry.points <= 0:
            raise AssertionError(f"award {entry.entry_id} opens no lot")
        expires_at = FAR_FUTURE if entry.expires_at is None else entry.expires_at
        lot, lots = Lot(entry.lot, entry.points, entry.available_at, expires_at), account.lots
        # Most belong after the last one, as what is earned later expires later; `insort` would find that out slowly.
        if not lots or (last := lots[-1]).expires_at < expires_at:
            lots.append(lot)
        elif last.expires_at == expires_at and last.available_at <= entry.available_at:
            lots.append(lot)  # its number is the greatest
        else:
            insort(lots, lot, key=lot_order)
        if entry.lot > account.lots_opened:
            account.lots_opened = entry.lot
        account.earned += entry.points
    elif entry.type == _EXPIRED:
        _draw(account, entry)
    else:
        raise AssertionError(f"entry {entry.entry_id} has type {entry.type!r}, which this program does not know")
    account.balance += entry.points
    if entry.effective_at > account.latest_at:
        account.latest_at = entry.effective_at


def _draw(account: Account, entry: Entry) -> None:
    for index, lot in enumerate(account.lots):
        if lot.number == entry.lot:
            lot.remaining += entry.points
            if entry.points > 0 or lot.remaining < 0:
                raise AssertionError(f"entry {entry.entry_id} takes {-entry.points} from a lot that has less")
            if lot.remaining == 0:
                del account.lots[index]
            return
    raise AssertionError(f"entry {entry.entry_id} names lot {entry.lot}, which is not open")
