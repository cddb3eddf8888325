"""Sets up a stage's log: our own lines and those of every library, in one form, on standard error."""

import logging
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import msgspec

from books.errors import BooksError, FolderHeld
from books.kafka.errors import Fenced
from processors.decider.partition_state import UnknownSemanticsError
from projections.store import StoreError, StoreHeld
from tallybook.clock import now_ms
from tallybook.exit_codes import Exit
from tallybook.folder.folder import FolderRefused

INFO: Final = "info"
ERROR: Final = "error"
HIDDEN: Final = "***"
# A shorter value is not treated as a secret: it would be found in ordinary words.
LEAST_SECRET_LENGTH: Final = 4
# While Kafka cannot be reached its library says so fifty times a second.
SAID_AGAIN_SECONDS: Final = 30.0
MAX_PLACES: Final = 256


class StageLog:
    """Writes the lines of one stage to standard error, as text for people or JSON for machines, without secrets."""

    def __init__(self, stage: str, instance: str, *, as_json: bool, secrets: Iterable[str] = ()) -> None:
        self.as_json = as_json
        self._stage = stage
        self._instance = instance
        # The longest first: one may be part of another.
        self._secrets = sorted({one for one in secrets if len(one) >= LEAST_SECRET_LENGTH}, key=len, reverse=True)

    def __call__(self, text: str, *, level: str = INFO, logger: str = "") -> None:
        """Write one line; `logger` is the library that says it."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        at = datetime.fromtimestamp(now_ms() / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if self.as_json:
            fields = {"at": at, "level": level, "stage": self._stage, "instance": self._instance, "message": text}
            line = msgspec.json.encode(fields | ({"logger": logger} if logger else {})).decode()
        else:
            line = f"{at} {self._stage} {self._instance}: {f'{logger}: ' if logger else ''}{text}"
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


class _LibraryMessages(logging.Handler):
    """Passes what libraries log to the stage's own log."""

    def __init__(self, say: StageLog) -> None:
        super().__init__(logging.WARNING)
        self._say = say
        self._told: dict[tuple[str, int], tuple[float, int]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write it, with its traceback if it has one; repeats from one place of a library only now and then."""
        place, now = (record.name, record.lineno), time.monotonic()
        if place in self._told and now - self._told[place][0] < SAID_AGAIN_SECONDS:
            told_at, more = self._told[place]
            self._told[place] = (told_at, more + 1)
            return
        more = self._told[place][1] if place in self._told else 0
        if len(self._told) >= MAX_PLACES:
            self._told.clear()
        self._told[place] = (now, 0)
        text = record.getMessage() + (f" (and {more} more like it before)" if more else "")
        if record.exc_info and record.exc_info[0] is not None:
            text += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
        self._say(text, level=record.levelname.lower(), logger=record.name)


def set_up_logging(say: StageLog) -> None:
    """Have every library, every Python warning and every thread that dies write to the stage's own log.

    Whoever sets up logging later would undo it: Faust is asked not to (see `processors.stream.faust_worker`).
    """
    root = logging.getLogger()
    root.handlers[:] = [_LibraryMessages(say)]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)

    def died(what: threading.ExceptHookArgs) -> None:
        name = what.thread.name if what.thread is not None else "a thread"
        said = "".join(traceback.format_exception(what.exc_type, what.exc_value, what.exc_traceback)).rstrip()
        say(f"{name} died: {said}", level=ERROR)

    threading.excepthook = died


@contextmanager
def failures_logged(say: StageLog) -> Iterator[None]:
    """Where the log is JSON, write to it what ends the process, and end with the command line's exit code for that.

    Raises:
        SystemExit: in place of what the body raised; where the log is text, the command line reports it.
    """
    try:
        yield
    except Exception as error:  # the unexpected too, which would be reported as text
        if not say.as_json:
            raise
        is_told = isinstance(error, BooksError | StoreError | FolderRefused | UnknownSemanticsError | OSError)
        say(str(error) if is_told else traceback.format_exc().rstrip(), level=ERROR)
        if isinstance(error, FolderHeld | Fenced | StoreHeld):
            code = Exit.HELD
        else:
            code = Exit.REFUSED if is_told and not isinstance(error, OSError) else Exit.FAULT
        raise SystemExit(code) from error
