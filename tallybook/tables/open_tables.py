"""The tables wherever they are open: in this process, or served by the one that holds them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import msgspec

from projections.clickhouse.lock import holder_of
from projections.store import Address, Store, StoreHeld
from tallybook.folder.folder import Folder, FolderRefused


class Tables(msgspec.Struct, frozen=True):
    """Opened tables; `address` is where they are served, None if this process itself has them open."""

    store: Store
    address: Address | None


@contextmanager
def opened_tables(folder: Folder) -> Iterator[Tables]:
    """The tables of a folder as they are, be they level with its books or not.

    Raises:
        StoreHeld: another process has them open, and serves nobody.
        StoreNotOpened: they cannot be opened, or the process that serves them does not answer.
    """
    with ExitStack() as stack:
        try:
            tables = Tables(stack.enter_context(folder.store()), None)
        except StoreHeld as held:
            tables = stack.enter_context(served_tables(held))
        yield tables


@contextmanager
def served_tables(held: StoreHeld) -> Iterator[Tables]:
    """The tables of a folder that another process holds, for reading, if it serves them; else raises `held`."""
    from projections.clickhouse.client import open_served  # slow to load, and most commands do not ask it

    if held.address is None:
        raise held
    with open_served(held.address) as store:
        yield Tables(store, held.address)


def address_of(folder: Folder) -> Address:
    """Where the tables of a folder are served just now.

    Raises:
        FolderRefused: nobody serves them.
    """
    holder = holder_of(folder.clickhouse)
    if holder is None:
        raise FolderRefused(
            f"nobody serves the tables of {folder.root.absolute()} now: `tallybook run --follow` does, as long as it "
            "runs (without it every reading command opens them itself), and on Kafka `tallybook project` or `up`"
        )
    if holder.address is None:
        raise FolderRefused(
            f"process {holder.pid} has the tables of {folder.root} open but serves nobody: it is importing, reading, "
            "or just starting. `tallybook run --follow` serves them, as long as it runs"
        )
    return holder.address
