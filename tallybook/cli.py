"""The `tallybook` command: starts the command line and turns every typed error into a message and an exit code."""

from __future__ import annotations

# Only what is small: an interruption during the imports is an interruption like any other, so they stand in a `try`.
import errno
import os
import sys
from collections.abc import Callable

from tallybook.exits import Exit
from tallybook.garbage import collect_seldom


def main() -> None:
    """Run the command line; the entry point of the installed program."""
    try:
        # The embedded ClickHouse reads TZ when it is loaded; instants are UTC everywhere, so nothing may depend on it.
        os.environ["TZ"] = "UTC"
        collect_seldom()
        _run()
    except KeyboardInterrupt:
        _fail("stopped; what was committed is kept, and the same command goes on from there", Exit.INTERRUPTED)


def _run() -> None:
    from books.errors import BooksError, FolderHeld
    from processors.decider.partition import UnknownSemanticsError
    from processors.intake.mapping import MappingRefused
    from processors.intake.records import InputRefused
    from processors.ruleset_text import RulesetRefused
    from projections.store import StoreError, StoreHeld
    from tallybook.application import Interrupted, app
    from tallybook.folder import FolderRefused

    refusals = (
        BooksError, InputRefused, MappingRefused, RulesetRefused, FolderRefused, StoreError, UnknownSemanticsError,
    )  # fmt: skip
    try:
        _until_left(app)
    except Interrupted as interrupted:
        raise KeyboardInterrupt from interrupted
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


def _until_left(command: Callable[[], object]) -> None:
    """Run the command; raises BrokenPipeError where whoever read our output has left."""
    try:
        command()
    except SystemExit as ended:
        # Click and rich both turn a broken pipe into exit 1 on their own.
        if isinstance(ended.__context__, BrokenPipeError):
            raise BrokenPipeError from ended
        sys.stdout.flush()  # here, and not after the last line of Python, where nobody could catch what it raises
        raise


def _fail(message: str, code: Exit) -> None:
    try:
        from rich.text import Text

        from tallybook.screen import err

        err.print(Text(message, style="bold red" if err.is_terminal else ""))
    except KeyboardInterrupt:
        # Pressed twice: the line is lost, the exit code is not.
        pass
    sys.exit(code)
