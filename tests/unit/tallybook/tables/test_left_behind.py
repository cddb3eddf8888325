"""Facts that are committed are in, whatever becomes of the tables: the exit code and the words say so."""

import shutil
from pathlib import Path

import pytest

from tallybook.exit_codes import Exit
from tallybook.folder.folder import Folder
from tests.support.command_line import run
from tests.support.holding import holding
from tests.support.small_folder import purchase
from tests.support.small_imports import write_lines


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
