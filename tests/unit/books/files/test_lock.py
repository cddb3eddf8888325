"""One writer per folder: the second is told who holds it, and a holder that dies leaves the folder free."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from books.errors import FolderHeld, LockHolder
from books.files.create import create_books
from books.files.disk import REAL_FILES
from books.files.lock import read_holder, this_process
from books.files.reader import FileLogReader
from books.files.writer import FileLogWriter
from tests.fakes.books import HOLDER
from tests.support.book_folders import add_round, append_round, bytes_of, copied
from tests.support.book_samples import OPENED

# Holds the books of the folder it is given, with a round committed and another one begun, until its input ends.
HOLD = """
import sys
from pathlib import Path
from books.files.lock import this_process
from books.files.writer import FileLogWriter
from tests.support.book_folders import add_round, append_round
writer = FileLogWriter(Path(sys.argv[1]), this_process(1_700_000_000_000, "tallybook run shop"))
add_round(writer, 3)
append_round(writer, 4)
for file in writer._appending.values():
    file.flush()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def shop(two_rounds: Path, tmp_path: Path) -> Path:
    return copied(two_rounds, tmp_path / "shop")


@pytest.fixture
def holder(shop: Path, repository: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(shop)],
        cwd=repository,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_told_who_holds_the_folder(shop: Path, holder: subprocess.Popen[str]) -> None:
    before = bytes_of(shop)
    with pytest.raises(FolderHeld) as caught:
        FileLogWriter(shop, HOLDER)
    assert caught.value.holder is not None
    assert caught.value.holder.pid == holder.pid
    message = str(caught.value)
    assert f"in use by process {holder.pid} on " in message
    assert "since 2023-11-14 22:13:20 UTC (tallybook run shop)" in message
    assert str(shop) in message
    assert bytes_of(shop) == before
    log = FileLogReader(shop)  # readers are welcome
    assert log.committed().number == 3


def test_a_killed_holder_leaves_the_folder_free(shop: Path, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with FileLogWriter(shop, HOLDER) as writer:
        assert writer.committed().number == 3
        assert writer.cut_bytes > 0
        assert read_holder(REAL_FILES, shop / "books/LOCK") == HOLDER
        add_round(writer, 4)
    assert FileLogReader(shop).committed().number == 4


def test_the_note_goes_when_the_holder_does(shop: Path) -> None:
    with FileLogWriter(shop, HOLDER):
        assert read_holder(REAL_FILES, shop / "books/LOCK") == HOLDER
    assert read_holder(REAL_FILES, shop / "books/LOCK") is None
    assert (shop / "books/LOCK").read_bytes() == b""


def test_a_lock_file_that_is_gone_is_made_again(shop: Path) -> None:
    (shop / "books/LOCK").unlink()
    assert read_holder(REAL_FILES, shop / "books/LOCK") is None
    with FileLogWriter(shop, HOLDER), pytest.raises(FolderHeld):
        FileLogWriter(shop, HOLDER)


@pytest.mark.parametrize("note", [b"", b"\xff\xfe", b'{"pid": "seven"}', b"[]"])
def test_a_holder_without_a_readable_note_is_still_a_holder(shop: Path, note: bytes) -> None:
    with FileLogWriter(shop, HOLDER):
        (shop / "books/LOCK").write_bytes(note)
        with pytest.raises(FolderHeld, match="another process that is just starting or ending") as caught:
            FileLogWriter(shop, HOLDER)
        assert caught.value.holder is None


def test_a_later_version_may_say_more_about_itself(shop: Path) -> None:
    (shop / "books/LOCK").write_text(
        '{"pid": 7, "host": "till", "started_at": 99999999999999999, "command": "run", "url": "http://127.0.0.1"}'
    )
    holder = read_holder(REAL_FILES, shop / "books/LOCK")
    assert holder == LockHolder(7, "till", 99999999999999999, "run")
    assert "since an unknown time" in str(FolderHeld(shop, holder))


def test_a_writer_that_was_refused_lets_go(shop: Path) -> None:
    (shop / "books/rejects.avro").rename(shop / "rejects.avro")
    with pytest.raises(Exception, match=r"rejects\.avro"):
        FileLogWriter(shop, HOLDER)
    (shop / "rejects.avro").rename(shop / "books/rejects.avro")
    with FileLogWriter(shop, HOLDER) as writer:
        append_round(writer, 3)


def test_two_creations_do_not_meet(tmp_path: Path) -> None:
    (tmp_path / "books.creating").mkdir()
    lock = REAL_FILES.lock(tmp_path / "books.creating/LOCK")
    assert lock is not None
    with pytest.raises(FolderHeld):
        create_books(tmp_path, OPENED)
    lock.release()
    create_books(tmp_path, OPENED)


def test_a_process_can_say_who_it_is() -> None:
    holder = this_process(5, "x" * 2_000)
    assert (holder.started_at, len(holder.command)) == (5, 500)
    assert this_process(5).command
