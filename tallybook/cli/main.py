"""The `tallybook` command: starts the command line and turns every typed error into a message and an exit code."""

# Only small modules: all others are imported within a `try`, so that an interruption meanwhile is handled too.
import errno
import os
import sys
from collections.abc import Callable

from tallybook.exit_codes import Exit
from tallybook.garbage_collection import collect_seldom

# What comes with an extra alone: with "stream", and with "report".
STREAM_LIBRARIES = frozenset(
    {"aiokafka", "confluent_kafka", "cramjam", "faust", "fsspec", "prometheus_client", "pydantic_settings"}
)
REPORT_LIBRARIES = frozenset({"jinja2", "markupsafe", "pygal"})


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
    from tallybook.cli.application import Interrupted, app_for

    try:
        _until_left(app_for(sys.argv[1:]))
    except SystemExit:
        raise  # the usual end; it stands first, so that the handlers below import nothing
    except Interrupted as interrupted:
        raise KeyboardInterrupt from interrupted
    except ModuleNotFoundError as missing:
        what, extra = _wanted(missing.name or "")
        if not extra:
            raise
        _fail(
            f"{what} needs more than this installation has ({missing.name} is missing): "
            f"pip install 'tallybook[{extra}]'. Nothing was changed.",
            Exit.REFUSED,
        )
    except _held() as held:
        _fail(str(held), Exit.HELD)
    except _refusals() as refused:
        from projections.clickhouse.disk_errors import StoreFull
        from projections.store import TablesLeftBehind

        _fail(str(refused), Exit.FAULT if isinstance(refused, StoreFull | TablesLeftBehind) else Exit.REFUSED)
    except BrokenPipeError:
        # The reader of our output has ended (`tallybook sql … | head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as broken:
        where = f"{broken.filename}: " if broken.filename else ""
        advice = " Make room, then run it again." if broken.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG} else ""
        _fail(f"{where}{broken.strerror or broken}. What was committed is kept.{advice}", Exit.FAULT)


def _wanted(module: str) -> tuple[str, str]:
    """What a missing module is for, and the extra that it comes with; empty for one of a plain installation."""
    name = module.partition(".")[0]
    if name in STREAM_LIBRARIES:
        return "running on Kafka", "stream"
    return ("the report of a re-scoring", "report") if name in REPORT_LIBRARIES else ("", "")


def _held() -> tuple[type[Exception], ...]:
    """List the errors of something that another process holds; called only when something was raised."""
    from books.errors import FolderHeld
    from books.kafka.errors import Fenced
    from projections.store import StoreHeld

    return (FolderHeld, Fenced, StoreHeld)


def _refusals() -> tuple[type[Exception], ...]:
    """List the errors with a message for people; called only when something was raised, as it imports much."""
    from books.errors import BooksError
    from processors.decider.partition_state import UnknownSemanticsError
    from processors.intake.input_records import InputRefused
    from processors.intake.mapping import MappingRefused
    from processors.ruleset.parse import RulesetRefused
    from projections.store import StoreError
    from tallybook.folder.folder import FolderRefused

    return (BooksError, InputRefused, MappingRefused, RulesetRefused, FolderRefused, StoreError, UnknownSemanticsError)


def _until_left(command: Callable[[], object]) -> None:
    """Run the command; raises BrokenPipeError where the reader of our output has ended."""
    try:
        command()
    except SystemExit as ended:
        # Click and rich both turn a broken pipe into exit 1 on their own.
        if isinstance(ended.__context__, BrokenPipeError):
            raise BrokenPipeError from ended
        sys.stdout.flush()  # here, and not at the interpreter's end, where no handler could catch what it raises
        raise


def _fail(message: str, code: Exit) -> None:
    try:
        from tallybook.screen import alarm

        alarm(message)
    except KeyboardInterrupt:
        # Pressed twice: the line is lost, the exit code is not.
        pass
    sys.exit(code)
