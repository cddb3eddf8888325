"""Shows results to people and scripts: tables and progress on a terminal, JSON where it is asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:  # slow to load, as all of rich: each part is loaded where it is used to draw
    from rich.console import Console

PLAIN_WIDTH: Final = 120
STEP: Final = 64  # items between two updates of a bar: drawing must not cost more than the work


class Tick(Protocol):
    """Is called as work proceeds."""

    def __call__(self, advance: int = 1) -> None:
        """Note that so many more items are done."""


@cache
def console(*, stderr: bool) -> Console:
    """Give the console on which rich draws: standard output, or standard error."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, width=None if stream.isatty() else PLAIN_WIDTH, soft_wrap=True)


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Tick]:
    """Show a progress bar with rate and time left on a terminal; nothing where there is none."""
    if not console(stderr=True).is_terminal:
        yield _unseen
        return
    from tallybook.progress_bar import progress_bar

    with progress_bar(console(stderr=True), what, total) as move_on:
        pending = 0

        def tick(advance: int = 1) -> None:
            nonlocal pending
            pending += advance
            if pending >= STEP:
                move_on(pending)
                pending = 0

        yield tick
        move_on(pending)


def _unseen(advance: int = 1) -> None:
    """Ignore progress, where it is not shown."""


def show_table(title: str, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str] | None = None) -> None:
    """Print rows as a table; `columns` maps field names to headings (default: all fields of the first row)."""
    if not rows:
        say(f"{title}: nothing")
        return
    from rich.table import Table
    from rich.text import Text

    names = columns or {name: name for name in rows[0]}
    table = Table(title=Text(title), title_justify="left", header_style="bold", box=None, pad_edge=False)
    for name, heading in names.items():
        numeric = all(isinstance(row.get(name), int | float) and not isinstance(row.get(name), bool) for row in rows)
        table.add_column(Text(heading), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown(row.get(name))) for name in names))
    console(stderr=False).print(table)


def shown(value: Any) -> str:
    """Turn a value into text for people: thousands separated, instants in UTC to the second, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, datetime):
        return as_utc(value).strftime("%Y-%m-%d %H:%M:%S")
    return str(value)


def as_utc(value: datetime) -> datetime:
    """Turn an instant into one in UTC; ClickHouse gives naive ones in UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def counted(count: int, what: str, many: str = "") -> str:
    """Say a number of things, such as `1 fact` or `1,234 facts`; `many` is the plural where it has more than an s."""
    return f"{count:,} {what if abs(count) == 1 else many or f'{what}s'}"


def show_json(value: Any) -> None:
    """Print a value as JSON, instants in RFC 3339."""
    sys.stdout.write(json.dumps(value, default=_jsonable, ensure_ascii=False, indent=2) + "\n")


def _jsonable(value: Any) -> Any:
    if isinstance(value, datetime):
        return as_utc(value).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    raise TypeError(f"{type(value).__name__} cannot be shown as JSON")


def say(text: str) -> None:
    """Print a line for people, on standard output."""
    _print_line(text, stderr=False)


def begin_page() -> None:
    """Begin to show something afresh: on an empty screen, or below a line where there is no terminal."""
    out = console(stderr=False)
    if out.is_terminal:
        out.clear()
    else:
        say("-" * PLAIN_WIDTH)


def note(text: str) -> None:
    """Print a line for people on standard error: what is going on, never a result."""
    _print_line(text, stderr=True)


def aside(text: str) -> None:
    """Print a dim line on standard error: background that can be skipped, such as where an answer comes from."""
    from rich.text import Text

    console(stderr=True).print(Text(text, style="dim"))


def alarm(text: str) -> None:
    """Print on standard error why a command failed; it stands out on a terminal."""
    from rich.text import Text

    err = console(stderr=True)
    err.print(Text(text, style="bold red" if err.is_terminal else ""))


@contextmanager
def live_line() -> Iterator[Callable[[str], None] | None]:
    """Open a line at the foot of a terminal that is written over; None where there is no terminal."""
    err = console(stderr=True)
    if not err.is_terminal:
        yield None
        return
    from rich.live import Live
    from rich.text import Text

    with Live(Text(), console=err, auto_refresh=False, transient=True) as live:
        yield lambda text: live.update(Text(text, overflow="ellipsis", no_wrap=True), refresh=True)


def _print_line(text: str, *, stderr: bool) -> None:
    """Print a line as rich does; rich itself is loaded only where writing the line out is not enough."""
    stream = sys.stderr if stderr else sys.stdout
    if not stream.isatty() and all(map(str.isprintable, text.split("\n"))):
        stream.write(f"{text}\n")
        stream.flush()
        return
    from rich.text import Text

    console(stderr=stderr).print(Text(text))
