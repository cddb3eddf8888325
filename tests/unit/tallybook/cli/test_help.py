"""Every command helps itself: a sentence, an example that exists, and JSON from whatever reads."""

import json
from enum import EnumMeta
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import typer.main

from tallybook.cli.application import app
from tallybook.exit_codes import MEANINGS, Exit
from tests.support.command_line import run

READERS = {
    "balance", "statement", "leaderboard", "members", "sql", "explain", "verify", "audit", "status",
    "rejects list", "rejects show", "rules check", "rules try", "rules show", "rescore late", "check",
}  # fmt: skip


def commands(group: Any, path: tuple[str, ...] = ()) -> dict[str, Any]:
    """Every command that does something, by the words that people type."""
    if not hasattr(group, "commands"):
        return {" ".join(path): group}
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        found |= commands(command, (*path, name))
    return found


COMMANDS = commands(typer.main.get_command(app))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_a_sentence_and_an_example(name: str, tmp_path: Path) -> None:
    text = COMMANDS[name].help or ""
    assert text.split("\n")[0].rstrip().endswith((".", ":")), text
    assert f"Example: tallybook {name}" in text or f"| tallybook {name}" in text or f"&& tallybook {name}" in text
    assert run(tmp_path, *name.split(), "--help").code == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_does(name: str) -> None:
    for parameter in COMMANDS[name].params:
        if parameter.param_type_name == "option" and parameter.name != "help":
            assert parameter.help, f"{name} --{parameter.name}"


@pytest.mark.parametrize("name", sorted(READERS))
def test_reader_can_answer_in_json(name: str) -> None:
    assert any("--json" in parameter.opts for parameter in COMMANDS[name].params)


def test_exit_codes_are_in_the_help(tmp_path: Path) -> None:
    out = run(tmp_path, "--help").out
    for code in Exit:
        assert f"{code.value}  {MEANINGS[code].split(':')[0][:20]}" in out


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs" / "ops.md").read_text(encoding="utf-8")


def test_exit_codes_are_those_of_the_program(page: str) -> None:
    assert "".join(f"| {code.value} | {meaning} |\n" for code, meaning in MEANINGS.items()) in page


def test_folder_has_what_the_page_says_and_nothing_else(page: str, folder: Path) -> None:
    assert run(folder, "balance", "anna").code == 0
    told = {line.split("`")[1].rstrip("/") for line in page.splitlines() if line.startswith("| `") and "/` |" in line}
    there = {path.name for path in folder.iterdir() if path.is_dir()}
    assert there <= told
    assert "clickhouse" in there


LISTED = Path(__file__).parents[3] / "golden" / "commands.json"


def options(group: Any, path: str = "tallybook") -> dict[str, dict[str, Any]]:
    """The parameters of a command and of all commands below it, by the words that people type."""
    found = {path: {shown_name(parameter): described(parameter) for parameter in group.params}}
    for name, command in getattr(group, "commands", {}).items():
        found |= options(command, f"{path} {name}")
    return found


def shown_name(parameter: Any) -> str:
    """An option as it is typed, with all its spellings; an argument in capitals."""
    if parameter.param_type_name == "argument":
        return str(parameter.name).upper()
    return ", ".join([*parameter.opts, *parameter.secondary_opts])


def described(parameter: Any) -> dict[str, Any]:
    """What a parameter takes, apart from the wording of its help."""
    taken: Any = parameter.type_descriptor.annotation
    choices = list(taken) if isinstance(taken, EnumMeta) else get_args(taken) if get_origin(taken) is Literal else ()
    facts: dict[str, Any] = {
        "takes": [str(choice) for choice in choices] if choices else getattr(taken, "__name__", str(taken)),
        "default": None if callable(parameter.default) else parameter.default,
        "required": parameter.required,
        "many": parameter.multiple or parameter.nargs != 1,
        "least": parameter.min,
        "most": parameter.max,
        "variable": parameter.envvar,
        "hidden": getattr(parameter, "hidden", False),
    }
    said = {name: fact for name, fact in facts.items() if fact is not None and fact is not False}
    return {name: fact if isinstance(fact, bool | int | float | list) else str(fact) for name, fact in said.items()}


def test_commands_take_what_the_list_says() -> None:
    """An intended change is written into the list by hand, and into CHANGELOG.md."""
    assert options(typer.main.get_command(app)) == json.loads(LISTED.read_text("utf-8"))
