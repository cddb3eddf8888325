"""The set-up recovers from what goes wrong on a stranger's machine: no Python, a dead line, a cut in the middle."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.house.tracked import ROOT
from tests.support.processes import ended

FILES = (
    "requirements/runtime.txt",
    "requirements/stream.txt",
    "requirements/report.txt",
    "requirements/dev.txt",
    "requirements/real.txt",
    "pyproject.toml",
)
TOOLS = ("sh", "cat", "cmp", "cp", "date", "dirname", "mkdir", "mv", "rm")

# A stand-in for Python: makes an environment, writes down what pip is asked for, and fails as often as it is told.
PYTHON = """#!/bin/sh
case "$*" in
    *"import venv"*) exit "${NO_VENV:-0}" ;;
    *version_info*) exit "${TOO_OLD:-0}" ;;
    "-c import hatchling"*) exit "${CHANGED:-0}" ;;
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && echo venv >> "$LOG" ;;
    "-m pip "*)
        for word; do case $word in *.txt | --editable) echo "$word" >> "$LOG" ;; esac; done
        [ -s "$FAILURES" ] || exit 0
        read -r how < "$FAILURES"
        : > "$FAILURES.rest"
        { read -r _; while read -r next; do echo "$next" >> "$FAILURES.rest"; done; } < "$FAILURES"
        mv "$FAILURES.rest" "$FAILURES"
        [ "$how" = cut ] && kill -9 "$PPID"
        exit 1 ;;
esac
"""


class Tree:
    """A project folder with the set-up script and its inputs, on a machine that has only TOOLS and the stand-in."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "project"
        self.bin = folder / "bin"
        self.log = folder / "log"
        self.failures = folder / "failures"
        (self.project / "scripts").mkdir(parents=True)
        (self.project / "requirements").mkdir()
        self.bin.mkdir()
        shutil.copy(ROOT / "scripts" / "setup.sh", self.project / "scripts")
        for name in FILES:
            shutil.copy(ROOT / name, self.project / name)
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool) or tool)
        self.write_tool("sleep", "#!/bin/sh\n")
        self.write_tool("python3", PYTHON)

    def write_tool(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def setup(self, level: str, failures: tuple[str, ...] = (), **environment: str) -> tuple[int, str, list[str]]:
        """Run the script; its exit code, what it printed, and what the stand-in was asked to do."""
        self.log.write_text("")
        self.failures.write_text("".join(f"{how}\n" for how in failures))
        env = {"PATH": str(self.bin), "LOG": str(self.log), "FAILURES": str(self.failures), **environment}
        result = ended("sh", self.project / "scripts" / "setup.sh", level, env=env, stderr=subprocess.STDOUT)
        return result.returncode, result.stdout, self.log.read_text().split()


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


RUNTIME = ["venv", "requirements/runtime.txt", "--editable"]


def test_first_run_says_what_it_takes_and_second_does_nothing(tree: Tree) -> None:
    code, shown, asked = tree.setup("runtime")
    assert (code, asked) == (0, RUNTIME)
    assert "34 packages" in shown.splitlines()[1]
    assert tree.setup("runtime") == (0, "", [])


def test_levels_add_to_each_other(tree: Tree) -> None:
    assert tree.setup("runtime")[2] == RUNTIME
    assert tree.setup("stream")[2] == ["requirements/stream.txt"]
    assert tree.setup("report")[2] == ["requirements/report.txt"]
    assert tree.setup("dev")[2] == ["requirements/dev.txt"]
    assert tree.setup("real")[2] == ["requirements/real.txt"]
    assert tree.setup("dev") == (0, "", [])
    assert tree.setup("runtime") == (0, "", [])


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (
            "requirements/runtime.txt",
            [*RUNTIME, "requirements/stream.txt", "requirements/report.txt", "requirements/dev.txt"],
        ),
        ("requirements/stream.txt", ["requirements/stream.txt", "requirements/dev.txt"]),
        ("requirements/report.txt", ["requirements/report.txt", "requirements/dev.txt"]),
        ("requirements/dev.txt", ["requirements/dev.txt"]),
        ("pyproject.toml", ["--editable"]),
        ("requirements/real.txt", []),
    ],
)
def test_a_changed_file_installs_what_it_concerns(tree: Tree, changed: str, expected: list[str]) -> None:
    tree.setup("dev")
    with (tree.project / changed).open("a") as file:
        file.write("# changed\n")
    assert tree.setup("dev")[2] == expected


def test_a_moved_folder_is_installed_anew(tree: Tree) -> None:
    tree.setup("runtime")
    tree.project = tree.project.rename(tree.project.with_name("moved"))
    assert tree.setup("runtime")[2] == RUNTIME


def test_a_python_that_was_upgraded_away_is_replaced(tree: Tree) -> None:
    tree.setup("runtime")
    code, shown, asked = tree.setup("runtime", CHANGED="1")
    assert (code, asked) == (0, RUNTIME)
    assert "has changed or gone" in shown


def test_a_dead_line_is_tried_again_but_not_for_ever(tree: Tree) -> None:
    assert tree.setup("runtime", ("fail", "fail"))[::2] == (
        0,
        ["venv", *["requirements/runtime.txt"] * 3, "--editable"],
    )
    shutil.rmtree(tree.project / ".venv")
    code, shown, asked = tree.setup("runtime", ("fail",) * 9)
    assert (code, asked) == (1, ["venv", *["requirements/runtime.txt"] * 3])
    assert "HTTPS_PROXY" in shown
    assert "run the same command again" in shown
    assert tree.setup("runtime")[::2] == (0, RUNTIME)


def test_a_cut_in_the_middle_starts_afresh_the_next_time(tree: Tree) -> None:
    assert tree.setup("dev")[0] == 0
    (tree.project / ".venv" / ".stamp-dev").unlink()
    assert tree.setup("dev", ("cut",))[0] == -9
    code, shown, asked = tree.setup("runtime")
    assert (code, asked) == (0, RUNTIME)
    assert "did not finish" in shown


def test_two_set_ups_do_not_write_over_each_other(tree: Tree) -> None:
    (tree.project / ".venv").mkdir()
    (tree.project / ".venv" / ".installing").write_text(f"{os.getpid()}\n")
    code, shown, asked = tree.setup("runtime")
    assert (code, asked) == (1, [])
    assert f"process {os.getpid()}" in shown


def test_a_machine_without_python_is_told_what_to_install(tree: Tree) -> None:
    (tree.bin / "python3").unlink()
    code, shown, _ = tree.setup("runtime")
    assert code == 1
    for words in ("no python3 at all", "apt-get install python3 python3-venv", "dnf install", "brew install"):
        assert words in shown


def test_an_old_python_is_told_from_none(tree: Tree) -> None:
    tree.write_tool("python3", '#!/bin/sh\n[ "$1" = -V ] && echo Python 3.10.4 || exit 1\n')
    assert "here is Python 3.10.4" in tree.setup("runtime")[1]
    assert "PYTHON=/no/such is not a Python" in tree.setup("runtime", PYTHON="/no/such")[1]


def test_a_missing_venv_module_is_told(tree: Tree) -> None:
    code, shown, _ = tree.setup("runtime", NO_VENV="1")
    assert code == 1
    assert "its venv module is missing" in shown


def test_an_unknown_level_is_refused(tree: Tree) -> None:
    assert tree.setup("everything")[:2] == (1, "usage: scripts/setup.sh runtime|stream|report|dev|real\n")
