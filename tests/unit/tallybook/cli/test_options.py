"""Every command with its options, arguments and choices is as listed: who scripts them must not be surprised."""

import json
from enum import EnumMeta
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer.main

from tallybook.cli.application import app

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
