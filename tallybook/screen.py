"""How results reach a person or a script: tables and progress on a terminal, JSON where it is asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any, Final, Protocol

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

PLAIN_WIDTH: Final = 120
STEP: Final = 64  # progress is shown once for so many items: drawing must not cost more than the work


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, width=None if stream.isatty() else PLAIN_WIDTH, soft_wrap=True)


out: Final = _console(stderr=False)
err: Final = _console(stderr=True)


class Tick(Protocol):
    """Called as work proceeds."""

    def __call__(self, advance: int = 1) -> None:
        """So many more items are done."""


class _Rate(ProgressColumn):
    """Items per second, as people read it."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "", style="dim")


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Tick]:
    """A progress bar with rate and time left on a terminal; nothing where there is none."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        pending = 0

        def tick(advance: int = 1) -> None:
            nonlocal pending
            pending += advance
            if pending >= STEP:
                bar.advance(task, pending)
                pending = 0

        yield tick
        bar.advance(task, pending)


def show_table(title: str, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str] | None = None) -> None:
    """Print rows as a table; `columns` maps field names to headings (default: all fields of the first row)."""
    if not rows:
        say(f"{title}: nothing")
        return
    names = columns or {name: name for name in rows[0]}
    table = Table(title=Text(title), title_justify="left", header_style="bold", box=None, pad_edge=False)
    for name, heading in names.items():
        numeric = all(isinstance(row.get(name), int | float) and not isinstance(row.get(name), bool) for row in rows)
        table.add_column(Text(heading), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(shown(row.get(name)) for name in names))
    out.print(table)


def shown(value: Any) -> Text:
    """A value as people read it: thousands separated, instants in UTC to the second, nothing for None."""
    if value is None:
        text = ""
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, int):
        text = f"{value:,}"
    elif isinstance(value, float):
        text = f"{value:,.2f}"
    elif isinstance(value, datetime):
        text = as_utc(value).strftime("%Y-%m-%d %H:%M:%S")
    else:
        text = str(value)
    return Text(text)


def as_utc(value: datetime) -> datetime:
    """An instant in UTC; ClickHouse gives naive ones in UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


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
    """A line for people, on standard output."""
    out.print(Text(text))


def note(text: str) -> None:
    """A line for people on standard error: what is going on, never a result."""
    err.print(Text(text))


def aside(text: str) -> None:
    """A line on standard error that nobody has to read: where an answer comes from."""
    err.print(Text(text, style="dim"))


@contextmanager
def live_line() -> Iterator[Callable[[str], None] | None]:
    """A line at the foot of a terminal that is written over; None where there is none."""
    if not err.is_terminal:
        yield None
        return
    with Live(Text(), console=err, auto_refresh=False, transient=True) as live:
        yield lambda text: live.update(Text(text, overflow="ellipsis", no_wrap=True), refresh=True)
