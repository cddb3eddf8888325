"""The page for operations says of exit codes and the folder what the program does."""

from pathlib import Path

import pytest

from tallybook.exit_codes import MEANINGS
from tests.support.command_line import run


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs" / "ops.md").read_text(encoding="utf-8")


def test_exit_codes_are_those_of_the_program(page: str) -> None:
    assert "".join(f"| {code.value} | {meaning} |\n" for code, meaning in MEANINGS.items()) in page


def test_folder_has_what_the_page_says_and_nothing_else(page: str, folder: Path) -> None:
    assert run(folder, "balance", "anna").code == 0
    told = {line.split("`")[1].rstrip("/") for line in page.splitlines() if line.startswith("| `") and "/` |" in line}
    there = {path.name for path in folder.iterdir() if path.is_dir()}
    assert there <= told
    assert "clickhouse" in there
