"""Ctrl-C at any moment ends with one line and exit code 130, in the command and in the child that it started."""

import sys
from pathlib import Path

import pytest

from tallybook.exit_codes import Exit
from tests.support.processes import ended

LINE = b"stopped; what was committed is kept, and the same command goes on from there\n"
# Presses Ctrl-C for the whole group of processes, as a terminal does, when the named function is called (or the named
# module is looked for).
WITHIN = """
import os, signal, sys
from importlib import import_module
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs in its background without it
module, name = sys.argv[1:3]
sys.argv = ["tallybook", *sys.argv[3:]]
def press(*given, **named):
    os.killpg(0, signal.SIGINT)
    signal.pause()
class Press:
    def find_spec(self, wanted, path=None, target=None):
        if wanted == module:
            press()
if name:
    setattr(import_module(module), name, press)
else:
    sys.meta_path.insert(0, Press())
from tallybook.cli.main import main
main()
"""


def test_an_import_that_is_stopped(tmp_path: Path) -> None:
    assert press_within("tallybook.folder.import_files", "import_files", "-C", str(tmp_path), "import", "-") == (
        130,
        LINE,
    )


@pytest.mark.parametrize(
    "module", ["typer", "tallybook.cli.application", "tallybook.folder.folder", "tallybook.cli.read"]
)
def test_a_start_that_is_stopped(module: str) -> None:
    assert press_within(module, "", "--version") == (130, LINE)


def test_a_demo_that_is_stopped_while_the_tables_are_filled_alongside(tmp_path: Path) -> None:
    assert press_within(
        "tallybook.demo.run", "import_files", "demo", "--folder", str(tmp_path / "year"), "--facts", "500"
    ) == (130, LINE)


def test_what_was_typed_wrongly_still_ends_with_2() -> None:
    code, said = press_within("no_such_module", "", "leaderboard", "--no-such-option")
    assert code == Exit.USAGE
    assert b"--no-such-option" in said


def press_within(module: str, name: str, *arguments: str) -> tuple[int, bytes]:
    """The exit code of a command that is stopped in that function, or in that import, and what it said of it."""
    done = ended(sys.executable, "-c", WITHIN, module, name, *arguments, start_new_session=True, text=False)
    return done.returncode, done.stderr.replace(b"\r\n", b"\n")
