"""`tallybook rescore report` writes one file, and refuses what would mislead or write over something."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from processors.replay.rescore.differences import LineDifference, MemberDifference
from tallybook.cli.main import REPORT_LIBRARIES
from tests.support.command_line import run
from tests.support.rescore_runs import FROM, PRESENT, draft, line, member, plan, write_run
from tests.support.small_folder import OPENED_AT, build_folder

ROWS: dict[str, list[LineDifference]] = {"half": [line("anna", 100, 50)], "third": [line("anna", 100, 33)]}
PEOPLE: dict[str, list[MemberDifference]] = {"half": [member("anna", 100, 50)], "third": [member("anna", 100, 33)]}
PROGRAM = """
import sys
for name in {names!r}:
    sys.modules[name] = None
sys.argv = ["tallybook", *{words!r}]
from tallybook.cli.main import main
main()
"""


PLAN = msgspec.structs.replace(plan(draft("half"), draft("third"), partitions=3), opened_at=OPENED_AT)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    build_folder(folder, (), (), PRESENT, effective_from=FROM)
    write_run(folder, PLAN, ROWS, PEOPLE)
    return folder


def test_the_last_run_and_its_first_draft_are_reported(shop: Path, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    done = run(shop, "rescore", "report", "--output", str(file))
    assert done.code == 0, done.err
    assert done.out == f"{file}: run 0001, draft half, {file.stat().st_size:,} bytes\n"
    assert done.err == "other drafts of this run, each by --draft: third\n"
    page = file.read_text("utf-8")
    assert "Member anna loses 50 points" in page
    assert "1 point per 2.00 EUR instead of 1 point per 1.00 EUR." in page  # the present rules are those of the books
    assert sorted(each.name for each in tmp_path.iterdir()) == ["report.html", "shop"]


def test_a_draft_and_a_run_are_chosen(shop: Path, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    write_run(shop, PLAN, {}, {})
    done = run(shop, "rescore", "report", "1", "--draft", "third", "-o", str(file))
    assert done.code == 0, done.err
    assert "anna loses 67 points" in file.read_text("utf-8")


def test_a_file_is_written_over_only_with_force(shop: Path, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text("mine")
    done = run(shop, "rescore", "report", "--output", str(file))
    assert done.code == 3
    assert f"{file} is there already: name a new file, or write over it with --force" in done.err
    assert file.read_text() == "mine"
    assert run(shop, "rescore", "report", "--output", str(file), "--force").code == 0
    assert file.read_text("utf-8").startswith("<!DOCTYPE html>")


def test_a_run_that_is_not_finished_has_no_report(shop: Path, tmp_path: Path) -> None:
    write_run(shop, PLAN, ROWS, PEOPLE, is_finished=False)
    file = tmp_path / "report.html"
    done = run(shop, "rescore", "report", "2", "--output", str(file))
    assert done.code == 3
    assert "run 0002 is not finished" in done.err
    assert "tallybook rescore show 0002" in done.err
    assert not file.exists()


def test_other_books_than_those_of_the_run_have_no_report(shop: Path, tmp_path: Path) -> None:
    write_run(shop, plan(), ROWS, PEOPLE)  # its books were opened at another time
    file = tmp_path / "report.html"
    done = run(shop, "rescore", "report", "2", "--output", str(file))
    assert done.code == 3
    assert "these are not the books that were re-scored: run it again over them" in done.err
    assert not file.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("7", "-o", "report.html"), "there is no re-scoring 7"),
        (("1", "--draft", "fifth", "-o", "report.html"), "run 0001 has no draft 'fifth'; it has: half, third"),
        (("1", "-o", "no/report.html"), "there is no folder no: make it, or name another file"),
        (("1", "-o", ".", "--force"), ". is a folder: name a file in it, such as report.html"),
    ],
)
def test_what_cannot_be_reported_is_refused(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(shop, "rescore", "report", *words)
    assert done.code == 3
    assert said in done.err
    assert [each.name for each in tmp_path.iterdir()] == ["shop"]


@pytest.mark.parametrize("missing", sorted(REPORT_LIBRARIES))
def test_a_plain_installation_says_what_to_install(shop: Path, tmp_path: Path, missing: str) -> None:
    words = ["-C", str(shop), "rescore", "report", "--output", str(tmp_path / "report.html")]
    program = PROGRAM.format(names=[missing], words=words)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "pip install 'tallybook[report]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_other_commands_need_no_more_than_a_plain_installation(shop: Path) -> None:
    words = ["-C", str(shop), "rescore", "show", "1"]
    program = PROGRAM.format(names=sorted(REPORT_LIBRARIES), words=words)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "anna" in done.stdout
