"""Gathers all commands into the command line, and passes an interruption on to its caller."""

import copy
import inspect
import os
import sys
from collections.abc import Collection
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command_name

from tallybook.cli import books as commands_books
from tallybook.cli import mapping as commands_mapping
from tallybook.cli import prove as commands_prove
from tallybook.cli import read as commands_read
from tallybook.cli import rejects as commands_rejects
from tallybook.cli import rescore as commands_rescore
from tallybook.cli import rules as commands_rules
from tallybook.cli import stages as commands_stream
from tallybook.cli import start as commands_start
from tallybook.cli import topics as commands_topics
from tallybook.exit_codes import MEANINGS

_CODES: Final = "\n\n".join(f"{code.value}  {meaning}" for code, meaning in MEANINGS.items())


class Interrupted(BaseException):
    """Ctrl-C was pressed; by KeyboardInterrupt Typer would end the program without a message."""


class _PassesInterruptions(TyperGroup):
    """Runs commands, and lets an interruption through."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, typer.Abort) as interruption:
            raise Interrupted from interruption


app = typer.Typer(
    name="tallybook",
    cls=_PassesInterruptions,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    help=(
        "Loyalty points from events: a ledger that can prove every point.\n\n"
        "A folder holds one programme. Start one with [bold]tallybook init my-shop[/bold], then\n"
        "[bold]cd my-shop[/bold], [bold]tallybook import events.jsonl[/bold], [bold]tallybook leaderboard[/bold].\n"
        "Or watch a whole year: [bold]tallybook demo[/bold]."
    ),
    epilog=f"Exit codes\n\n{_CODES}",
)

for module in (commands_start, commands_books, commands_read, commands_prove, commands_stream, commands_topics):
    module.register(app)
app.add_typer(commands_mapping.app, name="mapping")
app.add_typer(commands_rejects.app, name="rejects")
app.add_typer(commands_rules.app, name="rules")
app.add_typer(commands_rescore.app, name="rescore")


def _print_version(value: bool) -> None:
    if value:
        from importlib.metadata import version  # slow to load, and nothing else asks it

        sys.stdout.write(f"tallybook {version('tallybook')}\n")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    folder: Annotated[
        Path,
        typer.Option("--folder", "-C", envvar="TALLYBOOK_FOLDER", help="The programme's folder (default: this one)."),
    ] = Path(),
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    context.obj = folder


def app_for(words: Collection[str]) -> typer.Typer:
    """Give the command line for these words: commands that are not among them can be listed, but not called.

    Typer makes up the options of every command before it looks which one is called, which takes longer than the import
    of all of them. A shell that asks for completions gets everything.
    """
    # Half of what typer loads to print help or a wrong usage, which need neither.
    put_off("rich.markdown", "Markdown")
    put_off("rich.traceback", "Traceback")
    is_completing = any(name.endswith("_COMPLETE") for name in os.environ)
    return app if is_completing else _without_options(app, frozenset(words))


def _without_options(whole: typer.Typer, called: frozenset[str]) -> typer.Typer:
    """Copy a group of commands so that only the commands that may be called have their options."""
    group = copy.copy(whole)
    group.registered_commands = [copy.copy(command) for command in whole.registered_commands]
    group.registered_groups = [copy.copy(inner) for inner in whole.registered_groups]
    for command in group.registered_commands:
        if command.callback is None:
            continue
        command.name = command.name or get_command_name(command.callback.__name__)
        if command.name not in called:
            command.help = command.help or inspect.getdoc(command.callback)
            command.callback = _never_called
    for inner in group.registered_groups:
        if inner.typer_instance is not None:
            inner.typer_instance = _without_options(inner.typer_instance, called)
    return group


def _never_called() -> None:
    raise AssertionError("a command was called whose name is not on the command line")


def put_off(module: str, name: str) -> None:
    """Have `from module import name` give a class that loads the module when the first object of it is made.

    To ask for anything else of the module loads it at once. A module that is loaded already stays as it is.
    """
    if module in sys.modules:
        return
    later = ModuleType(module)

    def load() -> ModuleType:
        if sys.modules.get(module) is later:
            del sys.modules[module]
        return import_module(module)

    def made(_: type, *args: Any, **named: Any) -> Any:
        return getattr(load(), name)(*args, **named)

    def other(asked: str) -> Any:
        if asked.startswith("__"):  # the import system looks whether there is a `__path__`, for one
            raise AttributeError(asked)
        return getattr(load(), asked)

    setattr(later, name, type(name, (), {"__new__": made}))
    setattr(later, "__getattr__", other)  # noqa: B010 -- a module's own hook, which no type declares
    sys.modules[module] = later
