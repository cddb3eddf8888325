"""Every command in README and docs exists, with its options; whether it works is shown where the pages are run."""

from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from tests.house.fences import Block, FenceError, blocks, commands, inline_commands, shell_blocks
from tests.house.known_commands import PAGES, PAPER, complaint, pages_with, tallybook_complaint
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
stand_in, rules = typer.Typer(), typer.Typer()
stand_in.add_typer(rules, name="rules")


@stand_in.command()
def balance(member: str, *, as_json: Annotated[bool, typer.Option("--json", "-j")] = False) -> None:
    """Stand in for a command with an option of two names."""


@rules.command()
def check(file: str, *, strict: bool = False) -> None:
    """Stand in for a command of a group."""


@rules.command()
def show() -> None:
    """Stand in for a command without options."""


def help_of_stand_in(*words: str) -> str | None:
    told = CliRunner().invoke(stand_in, [*words, "--help"], env=PAPER)
    return told.stdout if told.exit_code == 0 else None


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
def test_a_command_of_the_command_line_is_known_by_its_help(arguments: str, problem: str | None) -> None:
    assert tallybook_complaint(arguments.split(), help_of_stand_in) == problem


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("balance m-1 --json", None),
        ("rules check a.yaml", None),
        ("balanse m-1", "there is no command `tallybook balanse`"),
        ("balance m-1 --jso", "`tallybook balance` has no option --jso"),
    ],
)
def test_the_real_command_line_is_asked_the_same_way(arguments: str, problem: str | None) -> None:
    assert tallybook_complaint(arguments.split()) == problem


PAGE = """\
# Title

```sh
tallybook init shop
cd shop
```

* in a list:

  ```console
  $ tallybook balance m-1 \\
  > --json
  {"points": 12}
  $ tallybook status
  ```

~~~bash long: fetches 30 MB
make bench-real
~~~

````text
```sh
not a command, but a picture of one
```
````

``` json
{}
```
"""


def test_blocks_are_found_with_line_language_and_text() -> None:
    assert [(block.line, block.language, block.is_long) for block in blocks(PAGE)] == [
        (3, "sh", False),
        (10, "console", False),
        (17, "bash", True),
        (21, "text", False),
        (27, "json", False),
    ]
    assert [block.script for block in shell_blocks(PAGE)] == [
        "tallybook init shop\ncd shop\n",
        "tallybook balance m-1 \\\n--json\ntallybook status\n",
        "make bench-real\n",
    ]
    assert [block.why_long for block in shell_blocks(PAGE)] == ["", "", "fetches 30 MB"]


def test_a_fence_that_is_never_closed_is_an_error() -> None:
    with pytest.raises(FenceError, match="line 2: this fence is never closed"):
        list(blocks("text\n```sh\ntallybook demo\n"))


def test_a_misspelt_long_is_an_error() -> None:
    with pytest.raises(FenceError, match="line 1: 'lnog' behind 'sh' means nothing"):
        list(blocks("```sh lnog\nmake test\n```\n"))


def test_other_languages_may_say_what_they_like() -> None:
    assert list(blocks("```yaml title=rules\na: 1\n```\n")) == [Block(1, "yaml", "a: 1\n")]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("make test", [["make", "test"]]),
        ("git clone x tb && cd tb && make demo", [["git", "clone", "x", "tb"], ["cd", "tb"], ["make", "demo"]]),
        ("CI=true make test  # with a note", [["make", "test"]]),
        ("make fuzz SECONDS=600", [["make", "fuzz", "SECONDS=600"]]),
        ("tallybook sql 'select 1; select 2' --csv > out.csv 2>/dev/null", [
            ["tallybook", "sql", "select 1; select 2", "--csv"],
        ]),
        ("tallybook import \\\n  a.csv | tallybook check - < b", [
            ["tallybook", "import", "a.csv"],
            ["tallybook", "check", "-"],
        ]),
        ("(cd a; make lint) || make help &", [["cd", "a"], ["make", "lint"], ["make", "help"]]),
        ("\n# only a comment\n", []),
    ],
)  # fmt: skip
def test_commands_are_split_as_a_shell_splits_them(script: str, expected: list[list[str]]) -> None:
    assert commands(script) == expected


def test_commands_in_running_text_are_found_up_to_a_placeholder() -> None:
    page = "Type `make demo`, or `tallybook rules check FILE --json`.\n\n```sh\n`make not-me`\n```\nSee `tallybook …`."
    assert inline_commands(page) == [(1, ["make", "demo"]), (1, ["tallybook", "rules", "check"])]
