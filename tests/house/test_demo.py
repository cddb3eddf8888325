"""The demo as its reader uses it: it runs, it runs again, and every line that it says to type next works as printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import ended

pytestmark = pytest.mark.long

BIN = Path(sys.executable).parent
SMALL = "--facts 1500 --members 60"


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A new shell with nothing at the keyboard."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TALLYBOOK")}
    return ended("sh", "-c", command, cwd=folder, env=environment)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder in which the demo ran twice, and what the second run printed."""
    folder = tmp_path_factory.mktemp("demo")
    results = [shell(f"{BIN / 'tallybook'} demo {SMALL}", folder) for _ in range(2)]
    for result in results:
        assert result.returncode == 0, result.stdout + result.stderr
    return folder, results[-1].stdout


def next_lines(output: str) -> list[str]:
    _, _, after = output.partition("Next, each line as it is:\n")
    return [line.strip() for line in after.splitlines() if line.strip()]


def test_the_demo_shows_a_leaderboard_a_statement_an_explanation_and_rates(shown: tuple[Path, str]) -> None:
    _, output = shown
    assert re.search(r"^validate, journal, score +1,500 +facts", output, re.MULTILINE), output
    assert re.search(r"^ +1 +m\d{5} +[\d,]+", output, re.MULTILINE), output
    assert "How far it came" in output
    assert "the last 8 entries" in output


def test_the_demo_ends_with_what_half_of_a_rate_would_have_cost(shown: tuple[Path, str]) -> None:
    folder, output = shown
    assert "(the base is proven by its digest)" in output
    assert re.search(r"^base +direct +[\d,]+ +[\d,]+ +[\d,]+ +-[\d,]+", output, re.MULTILINE), output
    assert re.search(
        r"^liability [\d,]+ -> [\d,]+ points \(-[\d,]+, worth -[\d,.]+ EUR at 0.01 EUR", output, re.MULTILINE
    )
    assert re.search(r"^m\d{5} under draft half: balance", output, re.MULTILINE)
    page = folder / "tallybook-demo" / "report.html"
    assert f"A page for a manager: {page.relative_to(folder)}" in output
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_every_line_to_type_next_works_as_printed(shown: tuple[Path, str]) -> None:
    folder, output = shown
    lines = next_lines(output)
    assert len(lines) >= 5, output
    for line in lines:
        result = shell(line, folder)
        assert result.returncode == 0, f"{line}\n{result.stdout}{result.stderr}"
        assert result.stdout.strip(), line


def test_the_demo_never_deletes_what_it_did_not_make(tmp_path: Path) -> None:
    theirs = tmp_path / "tallybook-demo" / "precious.txt"
    theirs.parent.mkdir()
    theirs.write_text("mine")
    result = shell(f"{BIN / 'tallybook'} demo {SMALL}", tmp_path)
    assert result.returncode == 3
    assert "is no demo" in result.stderr
    assert theirs.read_text() == "mine"
