"""Says whether a command exists, with its options, without running it: the check for what is too long to run."""

import functools
import importlib.util
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.house.fences import shell_blocks
from tests.house.tracked import ROOT, read, tracked
from tests.support.command_line import run

BIN = Path(sys.executable).parent
MAX_DEPTH = 4
# The command line sets its own time zone, which is no other test's.
PAPER = {"COLUMNS": "300", "TERM": "dumb", "NO_COLOR": "1", "TZ": "UTC"}

# Commands of every machine that prepare the ground; their arguments are the reader's own.
GROUND = {"cd", "export", "git", "ls", "cat", "mkdir", "rm", "echo", "time", "du"}


@functools.cache
def make_words() -> tuple[frozenset[str], frozenset[str]]:
    """The targets and the variables of the Makefile."""
    text = read(Path("Makefile"))
    targets = " ".join(re.findall(r"^([a-z][\w -]*):(?!=)", text, re.MULTILINE)).split()
    variables = re.findall(r"^([A-Z_]+)\s*[?:+]?=", text, re.MULTILINE)
    return frozenset(targets), frozenset(variables)


@functools.cache
def help_of(*words: str) -> str | None:
    """The help of `tallybook WORDS` on wide, plain paper; None if it does not know them."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in PAPER.items():
            patch.setenv(name, value)
        ran = run(ROOT, *words, "--help")
    return ran.out if ran.code == 0 else None


def complaint(words: list[str]) -> str | None:
    """What is wrong with the command `words`; None if all of it exists."""
    program, *arguments = words
    if program == "make":
        return _make_complaint(arguments)
    if program == "tallybook":
        return tallybook_complaint(arguments)
    if Path(program).name in {"python", "python3"} and arguments[:1] == ["-m"]:
        known = len(arguments) > 1 and importlib.util.find_spec(arguments[1]) is not None
        return None if known else f"there is no module {' '.join(arguments[1:2]) or 'named'}"
    if program in GROUND:
        return None
    if "/" in program:
        return None if os.access(ROOT / program, os.X_OK) else f"{program} is not an executable file of the project"
    return f"nothing is known of {program!r}; say it with make or tallybook, or let the block be run"


def _make_complaint(arguments: list[str]) -> str | None:
    targets, variables = make_words()
    for argument in arguments:
        name, is_assignment, _ = argument.partition("=")
        if is_assignment and name not in variables:
            return f"the Makefile has no variable {name}"
        if not is_assignment and name not in targets:
            return f"the Makefile has no target {name}"
    return None


def tallybook_complaint(arguments: list[str], help_of: Callable[..., str | None] = help_of) -> str | None:
    """What is wrong with `tallybook ARGUMENTS`, going by the help for its words; None if all of it exists."""
    path: list[str] = []
    text = help_of()
    for word in arguments[:MAX_DEPTH]:
        if text is None or word.startswith("-") or not re.search(r"Usage:.*\bCOMMAND\b", text):
            break
        path.append(word)
        text = help_of(*path)
    if text is None:
        return f"there is no command `tallybook {' '.join(path)}`"
    options = set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", text))
    for argument in arguments:
        option = argument.partition("=")[0]
        if option.startswith("-") and option not in {"-", "--"} and option not in options:
            return f"`tallybook {' '.join(path)}` has no option {option}"
    return None


PAGES = tracked(".md")


def pages_with(*, long: bool) -> list[Path]:
    """The pages that have shell blocks of this kind; a page that cannot be read counts, so that its test fails."""
    found = []
    for page in PAGES:
        try:
            has_some = any(block.is_long is long for block in shell_blocks(read(page)))
        except ValueError:
            has_some = True
        if has_some:
            found.append(page)
    return found
