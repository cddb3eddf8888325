"""The prompt of `sql` takes one query after another, over several lines, and goes on after a mistake."""

import contextlib
import io
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from projections.store import QueryFailed
from tallybook.exit_codes import Exit
from tallybook.folder.folder import Folder
from tallybook.tables.sql import FORMATS, answer, prompt
from tests.support.command_line import run
from tests.support.holding import holding
from tests.support.small_folder import purchase
from tests.support.small_imports import write_lines


class EchoStore:
    """A store that answers a query with its own text, and knows one mistake."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def export(self, query: str, output_format: str) -> bytes:
        self.asked.append((query, output_format))
        if query == "wrong":
            raise QueryFailed("Code: 62. Syntax error: failed at 1\n FORMAT CSV. Expected one of: SELECT, WITH")
        return f"<{query}>\n".encode()


@contextlib.contextmanager
def typing(text: str) -> Iterator[io.TextIOWrapper]:
    """`text` comes from the keyboard; gives what goes to the screen."""
    screen = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    before = sys.stdin
    sys.stdin = io.StringIO(text)
    try:
        with contextlib.redirect_stdout(screen):
            yield screen
    finally:
        sys.stdin = before


def shown(screen: io.TextIOWrapper) -> str:
    screen.seek(0)
    return screen.read()


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("SELECT 1;\nexit\nSELECT 2;\n", ["SELECT 1"]),
        ("SELECT\n\n1;\n", ["SELECT\n\n1"]),
        ("\n\nSELECT 1;\nquit;\n", ["SELECT 1"]),
        ("wrong;\nSELECT 2;\n", ["wrong", "SELECT 2"]),
        ("SELECT 1", []),
        ("", []),
    ],
)
def test_queries_end_with_a_semicolon(typed: str, asked: list[str]) -> None:
    store = EchoStore()
    with typing(typed) as screen:
        prompt(store, "CSV")
    assert [query for query, _ in store.asked] == asked
    assert all(f"<{query}>" in shown(screen) for query in asked if query != "wrong")


def test_a_file_gets_no_colours() -> None:
    coloured = "\x1b[1mname\x1b[0m"
    assert answer(EchoStore(), coloured, FORMATS["table"], plain=True) == b"<name>\n"
    assert answer(EchoStore(), coloured, FORMATS["csv"], plain=True) == f"<{coloured}>\n".encode()


def test_mistake_is_told_without_the_grammar() -> None:
    with pytest.raises(QueryFailed) as failed:
        answer(EchoStore(), "wrong;", "CSV")
    assert str(failed.value) == "Code: 62. Syntax error: failed at 1"


@pytest.fixture
def more(folder: Path) -> Path:
    """One purchase more of a member who had none, on its way in."""
    file = folder / "inbox/more.jsonl"
    write_lines(file, [purchase("p-more", "11-14T10:00", "zoe", 5_000)])
    return file


def balance(folder: Path) -> int:
    return int(run(folder, "balance", "zoe", "--json").json()["balance"])


@pytest.mark.parametrize("command", ["import", "run"])
def test_tables_that_another_process_holds_are_brought_level_by_the_next_reader(
    folder: Path, more: Path, command: str
) -> None:
    with holding(folder, serves=False):
        ran = run(folder, command, *([str(more)] if command == "import" else []))
    assert (ran.code, "the facts are in" in ran.err) == (0, True)
    assert "the next reading command brings them up to date" in " ".join(ran.err.split())
    assert balance(folder) > 0


def test_refused_records_are_told_of_even_if_the_tables_are_held(folder: Path, more: Path) -> None:
    more.write_text(more.read_text("utf-8") + "{}\n", "utf-8")
    with holding(folder, serves=False):
        ran = run(folder, "import", str(more))
    assert (ran.code, "the facts are in" in ran.err) == (Exit.FOUND, True)


@pytest.mark.parametrize("command", ["import", "run"])
def test_tables_that_fail_are_a_fault_and_no_refusal(folder: Path, more: Path, command: str) -> None:
    with Folder(folder).store() as store:
        store.insert("migrations", {"number": [999], "name": ["0999_later"], "sha256": ["ab"]})
    ran = run(folder, command, *([str(more)] if command == "import" else []))
    assert ran.code == Exit.FAULT, ran.err
    said = " ".join(ran.err.split())
    assert "The facts are in, and the books are complete" in said
    assert "delete the folder clickhouse/" in said
    shutil.rmtree(folder / "clickhouse")
    assert balance(folder) > 0
