"""Every command in README and docs does what a reader expects of it: it runs, from an empty folder, page by page."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.fences import Block, blocks, commands, inline_commands, shell_blocks
from tests.house.known_commands import BIN, complaint, tallybook_complaint
from tests.house.tracked import read, tracked

PAGE_TIMEOUT_SECONDS = 900
SHOWN_LINES = 40
PAGES = tracked(".md")


def script_of(page_blocks: list[Block]) -> str:
    """One script for one terminal: what a block changes (folder, variables) holds for the next, as for a reader."""
    return "set -eu\n" + "".join(
        f"echo '@ block at line {block.line}' >&2\nset -x\n{block.script}{{ set +x; }} 2>/dev/null\n"
        for block in page_blocks
    )


def run_blocks(page_blocks: list[Block], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the blocks of one page in `folder`, with this environment's tools and a home of their own."""
    home = folder / "home"
    empty = folder / "empty"
    home.mkdir()
    empty.mkdir()
    shell = "bash" if any(block.language == "bash" for block in page_blocks) else "sh"
    return subprocess.run(
        [shell, "-c", script_of(page_blocks)],
        cwd=empty,
        env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "HOME": str(home), "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=PAGE_TIMEOUT_SECONDS,
    )


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


@pytest.mark.parametrize("page", pages_with(long=False), ids=str)
def test_commands_of_a_page_run_in_order(page: Path, tmp_path: Path) -> None:
    result = run_blocks([block for block in shell_blocks(read(page)) if not block.is_long], tmp_path)
    tail = "\n".join(result.stdout.splitlines()[-SHOWN_LINES:])
    assert result.returncode == 0, f"{page}: a command ended with {result.returncode}:\n{tail}"


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


def test_a_broken_command_is_noticed_and_located(tmp_path: Path) -> None:
    page = [
        Block(3, "sh", "mkdir shop\ncd shop\n"),
        Block(9, "sh", "test -d ../shop\nfalse\n"),
        Block(20, "sh", "true\n"),
    ]
    result = run_blocks(page, tmp_path)
    assert result.returncode == 1
    assert "@ block at line 9" in result.stdout
    assert "@ block at line 20" not in result.stdout
    assert (tmp_path / "empty" / "shop").is_dir()


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
