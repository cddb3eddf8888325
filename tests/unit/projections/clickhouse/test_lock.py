"""The lock file says who holds the tables and where they are served: to the owner alone, and nothing that is past."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from projections.clickhouse.lock import LOCK_FILE, StoreLock, holder_of
from projections.store import Address, StoreHeld

ADDRESS = Address(port=4321, token="secret-word", pid=os.getpid())  # noqa: S106 - a word that opens nothing anywhere
HOLD_AND_DIE = """
import os, sys
from pathlib import Path
from projections.store import Address
from projections.clickhouse.lock import StoreLock
StoreLock(Path(sys.argv[1])).announce(Address(port=4321, token="secret-word", pid=os.getpid()))
os.kill(os.getpid(), 9)
"""


def test_nobody_holds_what_nobody_opened(tmp_path: Path) -> None:
    assert holder_of(tmp_path) is None
    assert holder_of(tmp_path / "not-there") is None


def test_a_second_holder_is_told_of_the_first(tmp_path: Path) -> None:
    lock = StoreLock(tmp_path)
    with pytest.raises(StoreHeld) as held:
        StoreLock(tmp_path)
    assert (held.value.holder, held.value.address) == (str(os.getpid()), None)
    lock.announce(ADDRESS)
    with pytest.raises(StoreHeld) as held:
        StoreLock(tmp_path)
    assert held.value.address == ADDRESS
    assert "secret-word" not in str(held.value)
    lock.release()
    StoreLock(tmp_path).release()


def test_the_address_is_there_while_it_is_served(tmp_path: Path) -> None:
    lock = StoreLock(tmp_path)
    holder = holder_of(tmp_path)
    assert holder is not None
    assert (holder.pid, holder.address) == (os.getpid(), None)
    lock.announce(ADDRESS)
    holder = holder_of(tmp_path)
    assert holder is not None
    assert holder.address == ADDRESS
    lock.announce(None)
    assert b"secret-word" not in (tmp_path / LOCK_FILE).read_bytes()
    lock.release()
    assert holder_of(tmp_path) is None
    assert (tmp_path / LOCK_FILE).read_bytes() == b""


def test_only_the_owner_reads_the_token(tmp_path: Path) -> None:
    file = tmp_path / LOCK_FILE
    file.touch(0o644)  # as an older version made it
    lock = StoreLock(tmp_path)
    assert file.stat().st_mode & 0o777 == 0o600
    lock.release()


def test_what_a_killed_process_left_misleads_nobody(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", HOLD_AND_DIE, str(tmp_path)], check=False)
    assert killed.returncode == -9
    assert b"secret-word" in (tmp_path / LOCK_FILE).read_bytes()
    assert holder_of(tmp_path) is None
    lock = StoreLock(tmp_path)
    with pytest.raises(StoreHeld) as held:
        StoreLock(tmp_path)
    assert held.value.address is None
    assert b"secret-word" not in (tmp_path / LOCK_FILE).read_bytes()
    lock.release()


@pytest.mark.parametrize("left", [b"", b"123", b'{"pid": 1, "po', b"\xff"])
def test_a_note_that_cannot_be_read_is_none(tmp_path: Path, left: bytes) -> None:
    lock = StoreLock(tmp_path)
    (tmp_path / LOCK_FILE).write_bytes(left)
    assert holder_of(tmp_path) is None
    with pytest.raises(StoreHeld, match="another process"):
        StoreLock(tmp_path)
    lock.release()
