"""A disk that is full: the message names the place and the way out, nothing acknowledged is lost, and room mends it."""

import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from books.files.reader import FileLogReader
from tallybook.exit_codes import Exit
from tests.support.book_folders import bytes_of
from tests.support.command_line import run
from tests.support.processes import tallybook as command
from tests.support.small_folder import build_folder, purchase
from tests.support.small_imports import write_lines

pytestmark = pytest.mark.long

FACTS = 300
LIMITS = (50, 3_000, 9_000, 20_000, 30_000)  # bytes a file may have; the largest one of the books grows beyond them all
SMALL_DISK = "900k"
Before = Callable[[], object]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an inbox that is not taken in yet."""
    root = tmp_path_factory.mktemp("full") / "shop"
    build_folder(root)
    facts = [
        purchase(f"n-{n}", f"11-{16 + n // 100}T{n // 5 % 20:02}:00", f"m-{n % 40}", 1000 + n) for n in range(FACTS)
    ]
    write_lines(root / "inbox/sales.jsonl", facts)
    return root


@pytest.fixture(scope="module")
def expected(empty: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The digests of a run that had room."""
    copy = Path(shutil.copytree(empty, empty.with_name("expected")))
    assert run(copy, "import", "--no-project", str(copy / "inbox/sales.jsonl")).code == Exit.DONE
    return digests(copy)


@pytest.fixture
def folder(empty: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(empty, tmp_path / "shop", symlinks=True))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of SMALL_DISK, where this user may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", str(place)]
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no small disk can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def limited_to(size: int) -> Before:
    """No file may grow beyond `size` bytes: what a full disk is to one file. Python ignores the signal for it."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def digests(folder: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    last = FileLogReader(folder).committed()
    return last.journal_digests, last.ledger_digests


def must_tell(ran: subprocess.CompletedProcess[str], *words: str) -> None:
    """It ended as a fault of the machine, in one sentence or two that name the place and the way out."""
    assert ran.returncode == Exit.FAULT, ran.stderr
    assert "Traceback" not in ran.stderr
    assert all(word in ran.stderr for word in (*words, "ake room", "committed is kept")), ran.stderr


@pytest.mark.parametrize("limit", LIMITS)
def test_books_that_may_not_grow(folder: Path, expected: object, limit: int) -> None:
    file = str(folder / "inbox/sales.jsonl")
    committed = FileLogReader(folder).committed().number
    ran = command(folder, "import", "--no-project", file, preexec_fn=limited_to(limit))
    must_tell(ran, str(folder / "books"), "File too large")
    assert FileLogReader(folder).committed().number >= committed
    assert run(folder, "import", "--no-project", file).code == Exit.DONE
    assert digests(folder) == expected


def test_books_on_a_disk_that_is_full(folder: Path, expected: object, small_disk: Path) -> None:
    shutil.copytree(folder / "books", small_disk / "books")
    shutil.rmtree(folder / "books")
    (folder / "books").symlink_to(small_disk / "books")
    filler = small_disk / "filler"
    filler.write_bytes(bytes(small_disk_room(small_disk)))
    file = str(folder / "inbox/sales.jsonl")
    ran = command(folder, "import", "--no-project", file)
    must_tell(ran, str(folder / "books"), "No space left on device")
    filler.unlink()
    assert run(folder, "import", "--no-project", file).code == Exit.DONE
    assert digests(folder) == expected


def small_disk_room(place: Path) -> int:
    """All the bytes that are left, but for a page or two."""
    found = os.statvfs(place)
    return max(0, found.f_bavail - 2) * found.f_frsize


@pytest.mark.parametrize("limit", [200, 2_000])
def test_tables_that_may_not_grow(folder: Path, limit: int) -> None:
    before = bytes_of(folder / "books")
    must_tell(command(folder, "leaderboard", preexec_fn=limited_to(limit)))
    assert bytes_of(folder / "books") == before
    ran = command(folder, "leaderboard")
    if ran.returncode == Exit.REFUSED:  # ClickHouse was cut off in the midst of a definition, and cannot read it
        assert "if it is damaged, delete it" in ran.stderr
        shutil.rmtree(folder / "clickhouse")
        ran = command(folder, "leaderboard")
    assert (ran.returncode, ran.stdout.count("anna")) == (Exit.DONE, 1), ran.stderr


def test_tables_on_a_disk_that_is_full(folder: Path, small_disk: Path) -> None:
    before = bytes_of(folder / "books")
    (folder / "clickhouse").symlink_to(small_disk)
    must_tell(command(folder, "leaderboard"), "disk", "there is no room for the tables", "The books are safe")
    assert bytes_of(folder / "books") == before
    (folder / "clickhouse").unlink()
    assert command(folder, "leaderboard").returncode == Exit.DONE


def test_a_folder_that_cannot_be_written_to(folder: Path, small_disk: Path) -> None:
    shutil.copytree(folder / "books", small_disk / "books")
    shutil.rmtree(folder / "books")
    (folder / "books").symlink_to(small_disk / "books")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    before = bytes_of(small_disk)
    ran = command(folder, "import", "--no-project", str(folder / "inbox/sales.jsonl"))
    assert ran.returncode == Exit.FAULT
    assert str(folder / "books/LOCK") in ran.stderr
    assert "Read-only file system" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert bytes_of(small_disk) == before
