"""Folders that are not as they were left: refused, with what to do, and nothing changed by it; or mended, and told."""

import io
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from books.files.reader import FileLogReader
from schemas.avro.containers import encode_header, read_header
from tallybook import clock
from tallybook.cli import books as commands_books
from tallybook.exit_codes import Exit
from tallybook.folder import session
from tests.support.book_folders import bytes_of
from tests.support.command_line import run
from tests.support.processes import ended
from tests.support.processes import tallybook as command
from tests.support.small_folder import OPENED_AT, at, build_folder, purchase
from tests.support.small_imports import write_lines

Spoil = Callable[[Path, Path], object]
"""What is done to a folder; the second one has books of the same deployment, opened apart."""
FIRST, SECOND = "first.jsonl", "inbox/second.jsonl"
BOOKS = [
    "journal/00.avro", "journal/01.avro", "journal/02.avro", "ledger.0001/00.avro", "ledger.0001/01.avro",
    "ledger.0001/02.avro", "ledger.0001/opened.avro", "rejects.avro", "rounds.avro",
]  # fmt: skip
COMMANDS = (("import", SECOND, "--no-project"), ("run",), ("leaderboard",), ("verify",), ("status",))


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with books, snapshots and tables, whose inbox holds what is not taken in yet."""
    root = tmp_path_factory.mktemp("used") / "shop"
    build_folder(root)
    write_lines(root / FIRST, [purchase("n-1", "11-16T09:00", "anna", 1250)])
    shutil.copytree(root, root.with_name("older"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "POSTINGS_AT_THE_END", 0)
        assert run(root, "import", str(root / FIRST), "--no-project").code == Exit.DONE
    # The embedded ClickHouse of one folder is enough for one process, so each command that opens one has its own.
    shown = command(root, "leaderboard")
    assert shown.returncode == 0
    root.with_name("leaderboard").write_text(shown.stdout, encoding="utf-8")
    write_lines(root / SECOND, [purchase("n-2", "11-17T09:00", "anna", 1250)])
    return root


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Books of the same deployment, opened a millisecond later."""
    root = tmp_path_factory.mktemp("other") / "shop"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.support.small_folder.OPENED_AT", OPENED_AT + 1)
        build_folder(root)
    return root


@pytest.fixture
def folder(used: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(used, tmp_path / "shop", symlinks=True))


def remove(name: str) -> Spoil:
    """Take a file or folder away."""

    def spoil(folder: Path, _: Path) -> None:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()

    return spoil


def with_head(name: str, key: str, value: bytes) -> Spoil:
    """Let the head of a file of the books say something else."""

    def spoil(folder: Path, _: Path) -> None:
        path = folder / "books" / name
        data, header = path.read_bytes(), read_header(io.BytesIO(path.read_bytes()))
        header.metadata[key] = value
        path.write_bytes(encode_header(header.metadata, header.sync) + data[header.length :])

    return spoil


def from_other(name: str) -> Spoil:
    """Put a file of the other run in the place of this one's."""
    return lambda folder, other: shutil.copy(other / "books" / name, folder / "books" / name)


RESTORE = "Restore the whole folder from one backup"
GREW = [name for name in BOOKS if name.startswith(("journal", "ledger.0001/0"))]
REFUSED: list[tuple[str, Spoil, tuple[str, ...]]] = [
    *((f"without {name}", remove(f"books/{name}"), (name, "missing", RESTORE)) for name in BOOKS),
    *((f"without {name}", remove(f"books/{name}"), (name, "missing", RESTORE)) for name in ("journal", "ledger.0001")),
    ("without books", remove("books"), ("no books of Tallybook", "tallybook init")),
    *(
        (f"{name} of another layout", with_head(name, "tallybook.layout", b"2"), (name, "this version of Tallybook"))
        for name in BOOKS
    ),
    *((f"{name} of another run", from_other(name), ("opened apart from this one", RESTORE)) for name in BOOKS),
]


@pytest.mark.parametrize(("spoil", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_books_that_are_not_as_they_were_are_refused(
    folder: Path, other: Path, spoil: Spoil, words: tuple[str, ...]
) -> None:
    spoil(folder, other)
    before = bytes_of(folder)
    for arguments in COMMANDS:
        typed = [str(folder / SECOND) if word == SECOND else word for word in arguments]
        ran = run(folder, *typed)
        assert ran.code == Exit.REFUSED, (arguments, ran.out, ran.err)
        assert all(word in ran.err for word in (*words, "Nothing was changed.")), (arguments, ran.err)
        assert bytes_of(folder) == before, arguments


@pytest.mark.parametrize("name", GREW)
def test_an_older_copy_of_one_file_is_refused(used: Path, folder: Path, name: str) -> None:
    older, newer = (root / "books" / name for root in (used.with_name("older"), folder))
    if older.read_bytes() == newer.read_bytes():
        pytest.skip(f"nothing was added to {name} since that copy was made")
    shutil.copy(older, newer)
    before = bytes_of(folder)
    ran = run(folder, "import", str(folder / SECOND), "--no-project")
    assert ran.code == Exit.REFUSED
    assert all(word in ran.err for word in (name, "are committed", RESTORE, "Nothing was changed.")), ran.err
    assert bytes_of(folder) == before


def test_older_commits_drop_what_they_do_not_know_and_say_so(used: Path, folder: Path) -> None:
    """It is what a death within a round leaves, so it cannot be refused; but it is not done in silence."""
    shutil.copy(used.with_name("older") / "books/rounds.avro", folder / "books/rounds.avro")
    ran = run(folder, "import", str(folder / FIRST), "--no-project")
    assert ran.code == Exit.DONE, ran.err
    assert "stopped within a round" in ran.err
    assert "bytes of it were dropped" in ran.err
    assert digests(folder) == digests(used)


def digests(folder: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those of the last commit, by partition."""
    last = FileLogReader(folder).committed()
    return last.journal_digests, last.ledger_digests


def cut_in_half(folder: Path, _: Path) -> None:
    for file in (folder / "snapshots").iterdir():
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def of_another_layout(folder: Path, _: Path) -> None:
    for file in (folder / "snapshots").iterdir():
        file.write_bytes(file.read_bytes().replace(b'"layout":1', b'"layout":9'))


def of_the_other_run(folder: Path, other: Path) -> None:
    shutil.rmtree(folder / "snapshots")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "POSTINGS_AT_THE_END", 0)
        copy = Path(shutil.copytree(other, folder.with_name("its-snapshots")))
        assert run(copy, "import", str(folder / FIRST), "--no-project").code == Exit.DONE
    shutil.copytree(copy / "snapshots", folder / "snapshots")


MENDED: dict[str, Spoil] = {
    "without the lock file": remove("books/LOCK"),
    "without snapshots": remove("snapshots"),
    "without one snapshot": remove("snapshots/ledger.0001.01.snapshot"),
    "with snapshots cut in half": cut_in_half,
    "with snapshots of another layout": of_another_layout,
    "with snapshots of another run": of_the_other_run,
    "without rulesets": remove("rulesets"),
    "without tables": remove("clickhouse"),
}


@pytest.mark.parametrize("spoil", MENDED.values(), ids=MENDED)
def test_what_can_be_made_again_is_not_missed(used: Path, folder: Path, other: Path, spoil: Spoil) -> None:
    expected = Path(shutil.copytree(used, folder.with_name("expected"), symlinks=True))
    spoil(folder, other)
    for each in (expected, folder):
        assert run(each, "import", str(each / SECOND), "--no-project").code == Exit.DONE
    assert digests(folder) == digests(expected)


def newer_tables(folder: Path, _: Path) -> None:
    """Note a migration that this version does not have."""
    script = (
        "import sys; from pathlib import Path; from projections.clickhouse.client import open_chdb\n"
        "with open_chdb(Path(sys.argv[1])) as store: store.command(sys.argv[2])"
    )
    statement = "INSERT INTO tallybook_rows.migrations (number, name, sha256) VALUES (999, '0999_new', 'x')"
    assert ended(sys.executable, "-c", script, folder / "clickhouse", statement).returncode == 0


def follow_links(folder: Path, _: Path) -> None:
    """Copy the tables as some tools do: where ClickHouse had links, there are folders now."""
    copy = Path(shutil.copytree(folder / "clickhouse", folder.with_name("followed")))
    shutil.rmtree(folder / "clickhouse")
    copy.rename(folder / "clickhouse")


@pytest.mark.long
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (follow_links, ("holds nothing but copies", "delete it")),
        (newer_tables, ("later version of Tallybook", "delete the folder clickhouse/")),
        (remove("clickhouse/store"), ()),
        (remove("clickhouse/metadata"), ()),
        (remove("clickhouse/data"), ()),
    ],
    ids=[
        "copied with links followed",
        "newer tables",
        "without their data",
        "without their definitions",
        "without the folder of links",
    ],
)
def test_tables_that_are_not_as_they_were(
    used: Path, folder: Path, other: Path, spoil: Spoil, words: tuple[str, ...]
) -> None:
    """Refused with the way out (words), or made again; the books are what they were, and the way out leads there."""
    expected = used.with_name("leaderboard").read_text(encoding="utf-8")
    spoil(folder, other)
    before = bytes_of(folder / "books")
    ran = command(folder, "leaderboard")
    assert bytes_of(folder / "books") == before
    if words:
        assert ran.returncode == Exit.REFUSED
        assert all(word in ran.stderr for word in words), ran.stderr
        shutil.rmtree(folder / "clickhouse")
        ran = command(folder, "leaderboard")
    assert (ran.returncode, ran.stdout) == (0, expected), ran.stderr


def test_tables_of_a_later_copy_of_the_books_are_made_afresh(used: Path, folder: Path) -> None:
    shutil.rmtree(folder / "books")
    shutil.copytree(used.with_name("older") / "books", folder / "books")
    ran = command(folder, "balance", "anna", "--json")
    assert ran.returncode == Exit.DONE, ran.stderr
    assert "filled from a later copy of these books" in ran.stderr
    assert msgspec.json.decode(ran.stdout)["as_of"] == "2026-11-15T00:00:00Z"


@pytest.mark.parametrize("when", ["11-10T00:00", "2025-12-24T12:00:00Z"])
def test_a_clock_that_went_back_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """Before the last tick, and before the books were opened."""
    now = at(when)
    monkeypatch.setattr(clock, "now_ms", lambda: now)
    monkeypatch.setattr(commands_books, "now_ms", lambda: now)
    before = bytes_of(folder)
    for arguments in (("import", str(folder / SECOND), "--no-project"), ("run",)):
        ran = run(folder, *arguments)
        assert ran.code == Exit.REFUSED
        assert all(word in ran.err for word in ("the clock of this machine", "2026-11-16T09:00", "Set it right")), (
            ran.err
        )
        assert bytes_of(folder) == before
