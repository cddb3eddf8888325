"""Standard input becomes files of whole lines that are on the disk before they are seen, whatever its pieces were."""

import os
import signal
from pathlib import Path
from random import Random

import pytest

from books.files.disk import REAL_FILES
from processors.intake.formats import Format
from tallybook.follow.spool import MAX_TAIL_BYTES, PIECE_BYTES, PIECE_MS, Spool, SpoolingThread
from tallybook.stop import stoppable

NOW = 1_774_310_400_000


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return tmp_path


def spool_into(inbox: Path, form: Format = "json-lines", expected: list[str] | None = None) -> Spool:
    return Spool(inbox, REAL_FILES, form, (expected if expected is not None else []).append)


def shown(inbox: Path) -> list[Path]:
    return sorted(path for path in inbox.iterdir() if path.is_file() and not path.name.startswith("."))


def content(inbox: Path) -> list[bytes]:
    return [path.read_bytes() for path in shown(inbox)]


def test_a_piece_is_handed_over_after_a_moment(inbox: Path) -> None:
    expected: list[str] = []
    spool = spool_into(inbox, expected=expected)
    spool.feed(b"one\ntwo\nthr", NOW)
    spool.cut_if_due(NOW + PIECE_MS - 1)
    assert shown(inbox) == []
    spool.cut_if_due(NOW + PIECE_MS)
    assert content(inbox) == [b"one\ntwo\n"], "a line is waited for until it ends"
    spool.feed(b"ee\n", NOW + PIECE_MS)
    spool.end(NOW + PIECE_MS)
    assert content(inbox) == [b"one\ntwo\n", b"three\n"]
    assert expected == [path.name for path in shown(inbox)]


def test_a_large_piece_is_handed_over_at_once(inbox: Path) -> None:
    spool = spool_into(inbox)
    spool.feed(b"x" * PIECE_BYTES + b"\n", NOW)
    spool.cut_if_due(NOW)
    assert [len(piece) for piece in content(inbox)] == [PIECE_BYTES + 1]


def test_a_clock_that_goes_back_holds_no_piece_back(inbox: Path) -> None:
    spool = spool_into(inbox)
    spool.feed(b"one\n", NOW)
    spool.cut_if_due(NOW - 1)
    assert content(inbox) == [b"one\n"]


def test_the_last_line_needs_no_end(inbox: Path) -> None:
    spool = spool_into(inbox)
    spool.feed(b"one\ntwo", NOW)
    spool.end(NOW)
    assert content(inbox) == [b"one\ntwo"]


def test_who_stops_reading_leaves_what_is_no_line_yet(inbox: Path) -> None:
    spool = spool_into(inbox)
    spool.feed(b"one\ntwo", NOW)
    spool.leave()
    assert content(inbox) == [b"one\n"]


def test_an_endless_line_goes_to_the_disk_and_not_into_memory(inbox: Path) -> None:
    spool = spool_into(inbox)
    spool.feed(b"one\n", NOW)
    for _ in range(4):
        spool.feed(b"x" * MAX_TAIL_BYTES, NOW)
        spool.cut_if_due(NOW + PIECE_MS)
        assert len(spool._tail) <= MAX_TAIL_BYTES
    spool.feed(b"\ntwo\n", NOW + PIECE_MS)
    spool.end(NOW + PIECE_MS)
    assert b"".join(content(inbox)) == b"one\n" + b"x" * 4 * MAX_TAIL_BYTES + b"\ntwo\n"


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_lost_or_doubled_whatever_the_pieces(inbox: Path, seed: int) -> None:
    rng = Random(seed)
    fed = b"".join(b"%d" % number * rng.randrange(40) + b"\n" for number in range(500)) + b"last"
    spool, at, now = spool_into(inbox), 0, NOW
    while at < len(fed):
        size = rng.randrange(1, 400)
        spool.feed(fed[at : at + size], now)
        at += size
        now += rng.randrange(100)
        spool.cut_if_due(now)
    spool.end(now)
    pieces = content(inbox)
    assert b"".join(pieces) == fed
    assert all(piece.endswith(b"\n") for piece in pieces[:-1])
    assert len(pieces) > 5


def test_another_format_is_one_file(inbox: Path) -> None:
    spool = spool_into(inbox, "csv")
    spool.feed(b"a;b\n1;2\n", NOW)
    spool.cut_if_due(NOW + PIECE_MS)
    assert shown(inbox) == []
    spool.feed(b"3;4\n", NOW)
    spool.end(NOW)
    assert [path.suffix for path in shown(inbox)] == [".csv"]
    assert content(inbox) == [b"a;b\n1;2\n3;4\n"]


def test_what_a_killed_process_put_down_comes_in_with_its_whole_lines(inbox: Path) -> None:
    (inbox / ".stdin-1-000001.jsonl.part").write_bytes(b"one\ntwo\nthr")
    (inbox / ".stdin-1-000002.jsonl.part").write_bytes(b"")
    (inbox / ".stdin-1-000003.jsonl.part").write_bytes(b"half a line")
    (inbox / ".stdin-1-000004.csv.part").write_bytes(b"a;b\n1;")
    assert spool_into(inbox).recover(NOW) == 4
    assert content(inbox) == [b"one\ntwo\n"]
    assert sorted(path.name for path in (inbox / "refused").iterdir()) == ["stdin-1-000003.jsonl", "stdin-1-000004.csv"]
    assert spool_into(inbox).recover(NOW) == 0


def test_a_thread_reads_until_the_input_ends(inbox: Path) -> None:
    reader, writer = os.pipe()
    thread = SpoolingThread(spool_into(inbox), reader, lambda: NOW)
    thread.start()
    os.write(writer, b"one\ntw")
    os.write(writer, b"o\nthree")
    os.close(writer)
    thread._thread.join()
    thread.check()
    assert thread.has_ended
    assert b"".join(content(inbox)) == b"one\ntwo\nthree"
    os.close(reader)


def test_what_goes_wrong_in_the_thread_is_raised_to_its_owner(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    thread = SpoolingThread(spool_into(tmp_path / "nowhere"), reader, lambda: NOW)
    thread.start()
    os.write(writer, b"one\n")
    os.close(writer)
    thread._thread.join()
    with pytest.raises(FileNotFoundError):
        thread.check()
    os.close(reader)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_ends(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stoppable() as stop:
        asked = [stop.is_asked]
        os.kill(os.getpid(), number)
        asked.append(stop.is_asked)
        assert asked == [False, True]
        assert signal.getsignal(number) is signal.SIG_DFL
    assert signal.getsignal(number) is before
