"""The finder of documented commands finds them all: a command it overlooks would be a command nobody tests."""

import pytest

from tests.house.fences import Block, FenceError, blocks, commands, inline_commands, shell_blocks

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
