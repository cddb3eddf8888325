"""The `tallybook` command: gathers the commands and turns every typed error into a message and an exit code."""

from __future__ import annotations

import errno
import gc
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text

from tallybook import commands_books, commands_prove, commands_read, commands_rejects, commands_rules, commands_start
from tallybook.exits import MEANINGS, Exit
from tallybook.screen import err

_CODES: Final = "\n\n".join(f"{code.value}  {meaning}" for code, meaning in MEANINGS.items())

app = typer.Typer(
    name="tallybook",
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

for module in (commands_start, commands_books, commands_read, commands_prove):
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


def main() -> None:
    """Run the command line; the entry point of the installed program."""
    # The embedded ClickHouse reads TZ when it is loaded; instants are UTC everywhere, so nothing may depend on it.
    os.environ["TZ"] = "UTC"
    # Accounts are millions of small objects that live on and hold no cycles: looking for garbage among them at every
    # 700 new ones took a tenth of an import.
    gc.set_threshold(200_000, 20, 100)
    from books.errors import BooksError, FolderHeld
    from processors.decider.partition import UnknownSemanticsError
    from processors.intake.mapping import MappingRefused
    from processors.intake.records import InputRefused
    from processors.ruleset_text import RulesetRefused
    from projections.store import StoreError, StoreHeld
    from tallybook.folder import FolderRefused

    refusals = (
        BooksError, InputRefused, MappingRefused, RulesetRefused, FolderRefused, StoreError, UnknownSemanticsError,
    )  # fmt: skip
    try:
        app()
    except (FolderHeld, StoreHeld) as held:
        _fail(str(held), Exit.HELD)
    except refusals as refused:
        _fail(str(refused), Exit.REFUSED)
    except BrokenPipeError:
        # Whoever read our output has seen enough (`tallybook sql … | head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as broken:
        where = f"{broken.filename}: " if broken.filename else ""
        advice = " Make room, then run it again." if broken.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG} else ""
        _fail(f"{where}{broken.strerror or broken}. What was committed is kept.{advice}", Exit.FAULT)
    except KeyboardInterrupt:
        _fail("stopped; what was committed is kept, and the same command goes on from there", Exit.FAULT)


def _fail(message: str, code: Exit) -> None:
    err.print(Text(message, style="bold red" if err.is_terminal else ""))
    sys.exit(code)
