"""`python -m tests.run` finds the seed that breaks a law, whoever runs it, and ends red."""

import shutil
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.catalogue import DECIDER, PLUMBING, RESCORING, ROOT, STREAMING, Fault, faults
from tests.run import __main__ as runner
from tests.run.given import Given
from tests.run.seeds import CHUNK, Seeded, run_seeds

HERE = __name__
WRONG_SEED = 2 * CHUNK + 5
GIVEN = Given("even", seed="0", count=2 * CHUNK)


def holds(seed: int, seen: Counter[str]) -> bool:
    seen["even" if seed % 2 == 0 else "odd"] += 1
    return seed != WRONG_SEED


SEEDED = Seeded(holds, lambda seed: f"story of {seed}", ["even", "odd"], least=CHUNK, enough=2 * CHUNK)


@pytest.mark.parametrize("processes", [1, 2])
def test_the_first_seed_that_breaks_a_law_is_told(processes: int) -> None:
    assert run_seeds(HERE, replace(GIVEN, processes=processes)) == []
    wrong = run_seeds(HERE, replace(GIVEN, count=10 * CHUNK, processes=processes))
    again = f"again: python -m tests.run even --seed {WRONG_SEED} --count 1"
    assert wrong == [f"seed {WRONG_SEED} broke a law", f"story of {WRONG_SEED}", again]


def test_what_has_to_happen_is_missed_in_a_large_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[HERE], "SEEDED", SEEDED._replace(must_happen=["even", "never"]))
    assert run_seeds(HERE, replace(GIVEN, seed="3", count=3)) == []
    assert run_seeds(HERE, GIVEN) == [f"happened less than {CHUNK} times: never"]


def test_a_run_ends_when_its_seconds_are_over() -> None:
    assert run_seeds(HERE, replace(GIVEN, seed="1000", count=0, seconds=0.001)) == []


@pytest.mark.parametrize("command", runner.COMMANDS)
def test_a_command_has_what_it_names(command: str) -> None:
    given = runner.read([command])
    named = runner.COMMANDS[command]
    assert given.command == command
    assert hasattr(__import__(named.module, fromlist=["run"]), "SEEDED" if named.is_seeded else "run")


def test_the_exit_code_says_whether_something_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.main(["histories", "--count", "1", "--seed", "3"]) == 0
    assert "histories: nothing is wrong" in capsys.readouterr().out
    assert runner.main(["chaos", "--only", "a kiss"]) == 1
    assert "WRONG  no blow is called a kiss" in capsys.readouterr().out


LEAST_FAULTS = {DECIDER: 25, PLUMBING: 15, STREAMING: 12, RESCORING: 30}
ALL = [fault for listed in LEAST_FAULTS for fault in faults(listed)]


@pytest.mark.parametrize("listed", LEAST_FAULTS, ids=lambda listed: listed.stem)
def test_there_are_faults_enough(listed: Path) -> None:
    found = faults(listed)
    assert len(found) >= LEAST_FAULTS[listed]
    assert len({(fault.file, fault.changes) for fault in found}) == len(found)


@pytest.mark.parametrize("fault", ALL, ids=lambda fault: fault.breaks)
def test_fault_can_be_put_into_its_file(fault: Fault, tmp_path: Path) -> None:
    copy = tmp_path / fault.file
    copy.parent.mkdir(parents=True)
    shutil.copy(ROOT / fault.file, copy)
    fault.put_into(tmp_path)
    assert copy.read_text("utf-8") != (ROOT / fault.file).read_text("utf-8")
    compile(copy.read_text("utf-8"), fault.file, "exec")
