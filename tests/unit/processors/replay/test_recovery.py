"""Partitions come back to the same state from a snapshot, from the middle of the books, and from the first page."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from books.errors import BooksDamaged
from books.files.reader import FileLogReader
from books.snapshots.store import SnapshotHeader, SnapshotStore
from processors.replay.recovery import recover_partition
from schemas.pages import JournalPage
from schemas.posting import FIRST_EDITION, Entry
from tallybook.folder.recovered_partitions import new_scorers
from tests.fakes.books import FOLDER, MemoryBooks
from tests.support import small_imports as small
from tests.support.deciders import load
from tests.support.small_imports import Died, new_books, random_facts, rewrite, take, write_lines

SEEDS = range(4)
DAYS = 8


class CountsPages(FileLogReader):
    """A reader that counts the pages it was asked for."""

    pages = 0

    def read_journal(self, partition: int, start: int = 0) -> Iterator[tuple[int, JournalPage]]:
        for found in super().read_journal(partition, start):
            self.pages += 1
            yield found


def halves(folder: Path, seed: int) -> tuple[list[Path], Path]:
    """Two files of some days each, and one of both."""
    first, second = random_facts(seed, days=DAYS // 2), random_facts(seed + 100, days=DAYS // 2, first_day=DAYS // 2)
    return (
        [write_lines(folder / "first.jsonl", first), write_lines(folder / "second.jsonl", second)],
        write_lines(folder / "both.jsonl", [*first, *second]),
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_snapshots_change_no_book_and_no_account(seed: int, tmp_path: Path) -> None:
    parts, _ = halves(tmp_path, seed)
    with_snapshots, without = new_books(), new_books()
    snapshots = SnapshotStore(tmp_path / "snapshots")
    for part in parts:
        take(with_snapshots, [part], snapshots=snapshots)
        take(without, [part])
        assert with_snapshots.disk.contents() == without.disk.contents()
        assert small.accounts(with_snapshots, snapshots) == small.accounts(without)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_old_snapshot_is_brought_forward_by_what_was_recorded_since(seed: int, tmp_path: Path) -> None:
    parts, _ = halves(tmp_path, seed)
    books = new_books()
    snapshots = SnapshotStore(tmp_path / "snapshots")
    take(books, parts[:1], snapshots=snapshots)
    before = small.ledger(books, 0)[-1].number
    take(books, parts[1:])
    assert small.ledger(books, 0)[-1].number > before
    assert small.accounts(books, snapshots) == small.accounts(books)


def test_a_snapshot_saves_reading_the_books(tmp_path: Path) -> None:
    parts, _ = halves(tmp_path, 1)
    books = new_books()
    snapshots = SnapshotStore(tmp_path / "snapshots")
    take(books, parts, snapshots=snapshots)
    read = {}
    for name, store in (("with", snapshots), ("without", None)):
        log = CountsPages(FOLDER, files=books.disk)
        for scorer in new_scorers(books.write(), load):
            recover_partition(log, FIRST_EDITION, scorer, store)
        books.die()
        read[name] = log.pages
    assert read["with"] < read["without"] / 2


def effects(books: MemoryBooks) -> dict[str, list[tuple[str, int, int, int]]]:
    """(type, lot, points, effective_at) of every account's entries, in order."""
    found: dict[str, list[Entry]] = {}
    for posting in small.postings_in(books):
        found.setdefault(posting.member_id, []).extend(posting.entries)
    return {
        member: [(entry.type, entry.lot, entry.points, entry.effective_at) for entry in entries]
        for member, entries in found.items()
    }


def beside_ticks(accounts: list[list[bytes]]) -> list[list[dict[str, object]]]:
    """The accounts without what ticks alone may change: how their postings are grouped."""
    return [[msgspec.json.decode(one, type=dict[str, object]) | {"seq": 0} for one in each] for each in accounts]


@pytest.mark.parametrize("seed", range(12))
def test_two_imports_of_whole_days_give_the_entries_of_one(seed: int, tmp_path: Path) -> None:
    parts, both = halves(tmp_path, seed)
    one, two = new_books(), new_books()
    take(one, [both])
    for part in parts:
        take(two, [part])
    last = [books.read().committed().last_tick for books in (one, two)]
    assert last[0] == last[1]
    assert effects(one) == effects(two)
    assert beside_ticks(small.accounts(one)) == beside_ticks(small.accounts(two))


@pytest.mark.parametrize("together", [False, True])
def test_one_import_of_all_files_gives_one_digest_in_any_order(tmp_path: Path, *, together: bool) -> None:
    parts, _ = halves(tmp_path, 7)
    one, two = new_books(), new_books()
    take(one, parts)
    if together:
        take(two, list(reversed(parts)))
    else:
        with pytest.raises(Died):
            take(two, list(reversed(parts)), dies_after=3)
        take(two, parts)
    assert small.digests(one) == small.digests(two)
    assert small.accounts(one) == small.accounts(two)


def test_a_snapshot_of_other_books_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    parts, both = halves(tmp_path, 3)
    snapshots = SnapshotStore(tmp_path / "snapshots")
    take(new_books(), [both], snapshots=snapshots)
    for books in (new_books(opened_at=small.START + 1), new_books()):
        take(books, parts)
        assert small.accounts(books, snapshots) == small.accounts(books)


def test_a_snapshot_of_the_same_history_on_other_pages_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    _, both = halves(tmp_path, 3)
    snapshots = SnapshotStore(tmp_path / "snapshots")
    before = new_books()
    take(before, [both], commit_facts=10**6, snapshots=snapshots)
    again = new_books(opened_at=small.START + 1)
    take(again, [both])
    assert small.digests(again) == small.digests(before)
    assert small.accounts(again, snapshots) == small.accounts(again)


def kept(snapshots: SnapshotStore) -> tuple[SnapshotHeader, bytes]:
    found = snapshots.load(FIRST_EDITION, 0)
    assert found is not None
    return found


@pytest.mark.parametrize("payload", [b"", b"\x90", msgspec.msgpack.encode({"layout": 1})])
def test_a_snapshot_of_another_version_is_as_if_it_were_not_there(payload: bytes, tmp_path: Path) -> None:
    _, both = halves(tmp_path, 3)
    books = new_books()
    snapshots = SnapshotStore(tmp_path / "snapshots")
    take(books, [both], snapshots=snapshots)
    header, _ = kept(snapshots)
    snapshots.save(FIRST_EDITION, 0, payload, header)
    assert small.accounts(books, snapshots) == small.accounts(books)


def test_a_ledger_that_lacks_a_posting_is_not_recovered_from(tmp_path: Path) -> None:
    _, both = halves(tmp_path, 3)
    books = new_books()
    take(books, [both])
    rewrite(books, postings={0: small.ledger(books, 0)[:-1]})
    with pytest.raises(BooksDamaged, match="ends before"):
        small.accounts(books)
