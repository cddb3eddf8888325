"""The command line as a whole: gathers the commands, and lets an interruption through to whoever started it."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from tallybook.cli import books as commands_books
from tallybook.cli import prove as commands_prove
from tallybook.cli import read as commands_read
from tallybook.cli import rejects as commands_rejects
from tallybook.cli import rules as commands_rules
from tallybook.cli import stages as commands_stream
from tallybook.cli import start as commands_start
from tallybook.cli import topics as commands_topics
from tallybook.exit_codes import MEANINGS

_CODES: Final = "\n\n".join(f"{code.value}  {meaning}" for code, meaning in MEANINGS.items())


class Interrupted(BaseException):
    """Somebody pressed Ctrl-C; under its own name Typer would end the program without a word."""


class _Letting(TyperGroup):
    """A group of commands that lets an interruption through."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, typer.Abort) as interruption:
            raise Interrupted from interruption


app = typer.Typer(
    name="tallybook",
    cls=_Letting,
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
app.add_typer(commands_rejects.app, name="rejects")
app.add_typer(commands_rules.app, name="rules")


def _print_version(value: bool) -> None:
    if value:
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
