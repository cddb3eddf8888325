"""Every command helps itself: a sentence, an example that exists, and JSON from whatever reads."""

from pathlib import Path
from typing import Any

import pytest
import typer.main

from tallybook.cli.application import app
from tallybook.exit_codes import MEANINGS, Exit
from tests.support.command_line import run

READERS = {
    "balance", "statement", "leaderboard", "members", "sql", "explain", "verify", "audit", "status",
    "rejects list", "rejects show", "rules check", "rules show", "check",
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
