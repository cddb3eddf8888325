"""`make test` cannot look green while something is red: the runner of its stages is tested like the rest."""

from collections import Counter
from pathlib import Path

import pytest

from scripts.stages import STAGES, Outcome, Step, report, run_step
from tests.house.tracked import tracked


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "test_mixed.py").write_text(
        '"""Two pass, one fails, one is skipped, one has an error."""\n'
        "import os, pytest\n"
        "def test_good(): pass\n"
        "def test_zone(): assert os.environ['TZ'] == 'Pacific/Chatham'\n"
        "def test_bad(): assert not 'wrong'\n"
        "@pytest.mark.skip(reason='not here')\n"
        "def test_skipped(): pass\n"
        "@pytest.fixture\n"
        "def broken(): raise ValueError\n"
        "def test_error(broken): pass\n"
    )
    return tmp_path


def run(folder: Path, *steps: Step) -> Outcome:
    outcome = Outcome("mixed")
    for step in steps:
        run_step(step, outcome, folder)
    return outcome


def test_tests_are_counted_and_a_red_one_fails_the_stage(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    outcome = run(folder, Step(("pytest", "-q", str(folder / "test_mixed.py"))))
    assert outcome.counts == Counter(failed=1, passed=2, skipped=1, errors=1)
    assert len(outcome.failed) == 1
    capfd.readouterr()
    assert report([outcome, Outcome("later", seconds=1.0)], install_seconds=2.0) == 1
    closing = capfd.readouterr().out.splitlines()[-1]
    assert "FAILED stages: mixed; 1 failed, 2 passed, 1 skipped, 1 error(s) in 3" in closing


def test_a_green_stage_ends_as_pytest_does(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    outcome = run(folder, Step(("pytest", "-q", str(folder / "test_mixed.py"), "-k", "good or zone")))
    assert not outcome.failed
    assert report([outcome], install_seconds=0.0) == 0
    assert capfd.readouterr().out.splitlines()[-1].strip("=").strip().startswith("2 passed in ")


def test_a_later_step_runs_after_a_failed_one(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    outcome = run(folder, Step(("python", "-c", "raise SystemExit(3)")), Step(("python", "-c", "print('still here')")))
    assert len(outcome.failed) == 1
    assert "still here" in capfd.readouterr().out


def test_modules_are_kept_compiled_whatever_the_shell_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert not run(folder, Step(("python", "-c", "import sys; sys.exit(sys.dont_write_bytecode)"))).failed


def test_a_folder_without_tests_is_a_failure(folder: Path) -> None:
    (folder / "empty").mkdir()
    assert run(folder, Step(("pytest", "-q", str(folder / "empty")))).failed


def test_what_lacks_a_program_is_skipped_with_the_reason(folder: Path) -> None:
    outcome = run(folder, Step(("python", "-c", "raise SystemExit(3)"), tools=("no-such-program",)))
    assert outcome.verdict() == "skipped: python -c 'raise SystemExit(3)': no-such-program not installed"


def test_each_folder_of_tests_has_a_stage() -> None:
    folders = {path.parts[1] for path in tracked(".py") if path.name.startswith("test_")}
    run_by_pytest = {
        word.split("/")[1]
        for steps in STAGES.values()
        for step in steps
        for word in step.command[1:2]
        if step.command[0] == "pytest"
    }
    assert run_by_pytest == folders
