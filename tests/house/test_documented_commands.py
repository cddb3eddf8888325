"""Every command in README and docs exists, with its options; whether it works is shown where the pages are run."""

import sys
from pathlib import Path

import pytest

from tests.house.fences import blocks, commands, inline_commands, shell_blocks
from tests.house.known_commands import PAGES, complaint, pages_with, tallybook_complaint
from tests.house.tracked import read


@pytest.mark.parametrize("page", pages_with(long=True), ids=str)
def test_long_commands_of_a_page_exist(page: Path) -> None:
    complaints = [
        f"{page}:{block.line}: {problem}"
        for block in shell_blocks(read(page))
        if block.is_long
        for words in commands(block.script)
        if (problem := complaint(words))
    ]
    assert not complaints


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_commands_in_running_text_exist(page: Path) -> None:
    complaints = [
        f"{page}:{line}: {problem}" for line, words in inline_commands(read(page)) if (problem := complaint(words))
    ]
    assert not complaints


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_no_command_hides_in_a_block_without_a_language(page: Path) -> None:
    hidden = [
        f"{page}:{block.line}"
        for block in blocks(read(page))
        if not block.language
        and any(line.startswith(("$ ", "make ", "tallybook ")) for line in block.text.splitlines())
    ]
    assert not hidden, "say ```sh, or ```text if it is no command"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["make", "no-such-target"], "no target no-such-target"),
        (["make", "fuzz", "MINUTES=1"], "no variable MINUTES"),
        (["python", "-m", "no_such_module"], "no module no_such_module"),
        (["scripts/no-such.sh"], "not an executable file"),
        (["wget", "x"], "nothing is known of 'wget'"),
    ],
)
def test_a_long_command_that_does_not_exist_is_noticed(words: list[str], problem: str) -> None:
    assert problem in (complaint(words) or "")


@pytest.mark.parametrize(
    "words", ["make fuzz SECONDS=600", "make test", ".ci/run", "git clone x", "python -m json.tool"]
)
def test_a_long_command_that_exists_passes(words: str) -> None:
    assert complaint(words.split()) is None


# A command line of the same make as the real one, so that these tests stay true whatever the real one grows into.
STAND_IN = """#!{python}
from typing import Annotated
import typer
app, rules = typer.Typer(), typer.Typer()
app.add_typer(rules, name="rules")

@app.command()
def balance(member: str, as_json: Annotated[bool, typer.Option("--json", "-j")] = False) -> None: ...

@rules.command()
def check(file: str, strict: bool = False) -> None: ...

@rules.command()
def show() -> None: ...

app()
"""


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("balance m-1 --json", None),
        ("balance m-1 -j", None),
        ("rules check a.yaml --strict", None),
        ("rules show", None),
        ("--help", None),
        ("balanse m-1", "there is no command `tallybook balanse`"),
        ("rules fly", "there is no command `tallybook rules fly`"),
        ("balance m-1 --jso", "`tallybook balance` has no option --jso"),
        ("rules check a.yaml --json", "`tallybook rules check` has no option --json"),
    ],
)
def test_a_command_of_the_command_line_is_known_by_its_help(
    tmp_path: Path, arguments: str, problem: str | None
) -> None:
    program = tmp_path / "tallybook"
    program.write_text(STAND_IN.replace("{python}", sys.executable))
    program.chmod(0o755)
    assert tallybook_complaint(arguments.split(), program) == problem
