"""Opens the tables in this process, or through the process that holds and serves them."""

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
    """Open the tables of a folder as they are, up to date or not.

    Raises:
        StoreHeld: another process has them open, and does not serve them.
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
    """Open the tables that another process holds, for reading, if it serves them; else raise `held`."""
    from projections.clickhouse.client import open_served  # slow to load, and most commands do not ask it

    if held.address is None:
        raise held
    with open_served(held.address) as store:
        yield Tables(store, held.address)


def address_of(folder: Folder) -> Address:
    """Find where the tables of a folder are served now; raises FolderRefused where no process serves them."""
    holder = holder_of(folder.clickhouse)
    if holder is None:
        raise FolderRefused(
            f"no process serves the tables of {folder.root.absolute()} now: `tallybook run --follow` does, as long as "
            "it runs (without it every reading command opens them itself), and on Kafka `tallybook project` or `up`"
        )
    if holder.address is None:
        raise FolderRefused(
            f"process {holder.pid} has the tables of {folder.root} open but does not serve them: it is importing, "
            "reading, or just starting. `tallybook run --follow` serves them, as long as it runs"
        )
    return holder.address
