"""Snapshots: whole or as if they were not there, whatever happens to the file."""

from hashlib import sha256
from pathlib import Path
from random import Random

import msgspec
import pytest

from books.snapshots.store import LAYOUT, SnapshotHeader, SnapshotStore
from books.walk import BookPlace
from schemas.pages import Folio
from tests.fakes.disk import DiedError, FakeDisk

HEADER = SnapshotHeader(
    edition="0001",
    partition=3,
    semantics=1,
    number=17,
    folio=Folio(4, 2),
    journal_position=900,
    ledger_position=700,
    journal_digest="ab" * 32,
    ledger_digest="cd" * 32,
    last_tick=1_700_000_000_000,
    commit_at=123,
)
PAYLOAD = bytes(range(256)) * 2
FILE = "ledger.0001.03.snapshot"


def newer(header: SnapshotHeader) -> SnapshotHeader:
    return msgspec.structs.replace(header, number=18)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path / "snapshots")
    assert store.load("0001", 3) is None
    store.save("0001", 3, PAYLOAD, HEADER)
    assert store.load("0001", 3) == (HEADER, PAYLOAD)
    assert SnapshotStore(tmp_path / "snapshots").load("0001", 3) == (HEADER, PAYLOAD)
    assert HEADER.place() == BookPlace(900, 700, Folio(4, 2), 17)
    assert [path.name for path in (tmp_path / "snapshots").iterdir()] == [FILE]


def test_the_last_one_saved_counts(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    store.save("0001", 3, PAYLOAD, HEADER)
    store.save("0001", 3, b"", newer(HEADER))
    assert store.load("0001", 3) == (newer(HEADER), b"")


def test_editions_and_partitions_are_apart(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    store.save("0001", 3, PAYLOAD, HEADER)
    assert store.load("0001", 4) is None
    assert store.load("0002", 3) is None
    (tmp_path / FILE).rename(tmp_path / "ledger.0001.04.snapshot")
    assert store.load("0001", 4) is None
    with pytest.raises(ValueError, match="edition 0001, partition 3"):
        store.save("0001", 4, PAYLOAD, HEADER)


def test_a_snapshot_may_be_forgotten(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    store.remove("0001", 3)
    store.save("0001", 3, PAYLOAD, HEADER)
    store.remove("0001", 3)
    assert store.load("0001", 3) is None


def test_one_torn_at_any_byte_is_none(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    store.save("0001", 3, PAYLOAD, HEADER)
    data = (tmp_path / FILE).read_bytes()
    for cut in range(len(data)):
        for rest in (b"", bytes(len(data) - cut), b"garbage"):
            (tmp_path / FILE).write_bytes(data[:cut] + rest)
            assert store.load("0001", 3) is None
    (tmp_path / FILE).write_bytes(data + b"!")
    assert store.load("0001", 3) is None


def test_one_with_any_byte_changed_is_none(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    store.save("0001", 3, PAYLOAD, HEADER)
    data = (tmp_path / FILE).read_bytes()
    for at in range(len(data)):
        (tmp_path / FILE).write_bytes(data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :])
        assert store.load("0001", 3) is None


def saved_as(folder: Path, head: bytes, claimed: int | None = None) -> SnapshotStore:
    """A store with a file whose sum is right and whose header is what a test wants."""
    size = len(head) if claimed is None else claimed
    body = b"TALLYSNAP\n" + size.to_bytes(4, "big") + head + PAYLOAD
    (folder / FILE).write_bytes(body + sha256(body).digest())
    return SnapshotStore(folder)


def test_one_of_another_layout_is_none(tmp_path: Path) -> None:
    assert saved_as(tmp_path, msgspec.json.encode(HEADER)).load("0001", 3) == (HEADER, PAYLOAD)
    other = msgspec.structs.replace(HEADER, layout=LAYOUT + 1)
    assert saved_as(tmp_path, msgspec.json.encode(other)).load("0001", 3) is None
    with pytest.raises(ValueError, match="header"):
        SnapshotStore(tmp_path).save("0001", 3, PAYLOAD, other)


@pytest.mark.parametrize("head", [b"", b"[]", b"{}", b"\xff", b'{"edition": "0001", "partition": "three"}'])
def test_one_whose_header_says_something_else_is_none(tmp_path: Path, head: bytes) -> None:
    assert saved_as(tmp_path, head).load("0001", 3) is None


@pytest.mark.parametrize("claimed", [1 << 20, 1 << 31, 70_000])
def test_one_whose_header_would_be_too_long_is_none(tmp_path: Path, claimed: int) -> None:
    assert saved_as(tmp_path, msgspec.json.encode(HEADER), claimed).load("0001", 3) is None


def test_what_cannot_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    assert SnapshotStore(tmp_path).load("0001", 3) is None


@pytest.mark.parametrize("seed", range(4))
def test_a_death_while_saving_leaves_the_one_before_or_the_new_one(seed: int) -> None:
    folder = Path("/snapshots")
    deaths = 0
    while True:
        disk = FakeDisk()
        store = SnapshotStore(folder, files=disk)
        store.save("0001", 3, PAYLOAD, HEADER)
        disk.sync_folder(Path("/"))
        disk.effects.clear()
        disk.rng = Random(seed)
        disk.die_at = deaths + 1
        try:
            store.save("0001", 3, PAYLOAD * 2, newer(HEADER))
        except DiedError:
            deaths += 1
        else:
            break
        disk.cut_power(Random(100 * seed + deaths))
        assert store.load("0001", 3) in [(HEADER, PAYLOAD), (newer(HEADER), PAYLOAD * 2)]
        store.save("0001", 3, b"", newer(HEADER))
        assert store.load("0001", 3) == (newer(HEADER), b"")
        assert disk.names(folder) == [FILE]
    assert deaths >= 6
    assert store.load("0001", 3) == (newer(HEADER), PAYLOAD * 2)
