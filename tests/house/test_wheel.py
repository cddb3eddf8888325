"""The wheel is whole: installed alone into an empty environment, far from the tree, it has everything and runs."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.house.tracked import ROOT, tracked_files
from tests.support.processes import ended

pytestmark = pytest.mark.long

SHIPPED = ("schemas", "books", "processors", "projections", "tallybook", "rulesets")
COMMAND_TIMEOUT_SECONDS = 600
FEW = ("--facts", "1000", "--members", "50")  # what the demo reads of the wheel is the same for any number


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command with nothing at the keyboard; what it printed. Fails the test, with its output, if it fails."""
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    result = ended(*command, cwd=cwd, env=environment, stderr=subprocess.STDOUT, timeout=COMMAND_TIMEOUT_SECONDS)
    shown: str = result.stdout
    assert result.returncode == 0, f"{command} ended with {result.returncode}:\n{shown[-4000:]}"
    return shown


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built offline with the pinned build backend."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet")
    run(*pip, "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("tallybook-*.whl")
    return built


@pytest.fixture(scope="module")
def fresh(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with nothing but the wheel.

    Its requirements are not downloaded a second time: a .pth line lends it this environment's libraries, behind its
    own. Python does not follow the .pth files in a lent folder, so the tree itself cannot be seen from it.
    """
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", folder / "bin" / "python")
    run(*pip, "install", "--quiet", "--no-index", "--no-deps", "--no-compile", wheel, cwd=folder.parent)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    (site_packages / "lent.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    return folder


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    missing = [str(path) for path in tracked_files() if path.parts[0] in SHIPPED and path.as_posix() not in inside]
    assert not missing


def test_nothing_else_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        rooms = {name.split("/")[0] for name in archive.namelist()}
    assert {room for room in rooms if not room.endswith(".dist-info")} == set(SHIPPED)


def test_packages_come_from_the_wheel_and_not_from_the_tree(fresh: Path, tmp_path: Path) -> None:
    names = ", ".join(SHIPPED)
    code = f"import sys, {names}\nfor room in ({names}): print(room.__file__)\nprint(*sys.path)"
    *files, path = run(fresh / "bin" / "python", "-c", code, cwd=tmp_path).splitlines()
    assert len(files) == len(SHIPPED)
    assert all(Path(file).is_relative_to(fresh) for file in files), files
    assert str(ROOT) not in path.split()


def test_command_line_answers_from_an_empty_folder(fresh: Path, tmp_path: Path) -> None:
    assert "demo" in run(fresh / "bin" / "tallybook", "--help", cwd=tmp_path)


def test_demo_runs_from_an_empty_folder(fresh: Path, tmp_path: Path) -> None:
    shown = run(fresh / "bin" / "tallybook", "demo", *FEW, cwd=tmp_path)
    assert "leaderboard" in shown.lower()
    assert str(ROOT) not in shown
