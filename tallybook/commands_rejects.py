"""Refused records: `list` them, `show` one with its original bytes, `resubmit` it mended."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tallybook.clock import now_ms
from tallybook.exits import Exit
from tallybook.folder import Folder
from tallybook.screen import say, show_json, show_table

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Number = Annotated[int, typer.Argument(min=1, help="The reject's number.", show_default=False)]
MAX_TEXT_SHOWN = 4_000
_HIDDEN = frozenset({"raw", "headers", "received_at"})

app = typer.Typer(no_args_is_help=True, help="Refused records: list them, look at one, send it again mended.")


@app.command("list")
def list_(
    context: typer.Context,
    reason: Annotated[str, typer.Option(help="Only those of this reason, such as unknown_currency.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many, the newest.")] = 20,
    as_json: AsJson = False,
) -> None:
    """The newest refused records: why, and where each came from. `sent again`: it was resubmitted.

    Example: tallybook rejects list --reason unknown_currency
    """
    from tallybook.rejects import kept_rejects, reject_row

    kept = kept_rejects(Folder(context.obj), reason)
    rows = [reject_row(reject, kept.sent_again) for reject in kept.rejects[-limit:]]
    if as_json:
        show_json({"count": len(kept.rejects), "by_reason": kept.by_reason, "rejects": rows})
        return
    columns = ("number", "reason", "field", "input_name", "record", "event_id", "sent_again", "message")
    title = f"Refused records: {len(kept.rejects):,}" + (
        f", of which the newest {len(rows):,}" if len(rows) < len(kept.rejects) else ""
    )
    show_table(title, rows, {name: name.replace("_", " ") for name in columns})
    if kept.by_reason:
        say(", ".join(f"{count:,} {name}" for name, count in kept.by_reason.items()))


@app.command()
def show(
    context: typer.Context,
    number: Number,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="Only the original bytes, exactly; of a table its rows, but JSON is sent again."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """One refused record: what is wrong with it, what to change, and the original.

    Example: tallybook rejects show 1 --raw > mended.json
    """
    from tallybook.rejects import TO_MEND_A_TABLE, event_of, is_of_table, kept_rejects, reject_named, reject_row

    kept = kept_rejects(Folder(context.obj))
    reject = reject_named(kept, number)
    if raw:
        sys.stdout.buffer.write(reject.raw)
        sys.stdout.flush()
        return
    text = reject.raw.decode("utf-8", "backslashreplace")
    row: dict[str, Any] = reject_row(reject, kept.sent_again) | {"headers": reject.headers}
    if as_json:
        show_json(row | {"raw": text, "raw_hex": reject.raw.hex()})
        return
    for name, value in row.items():
        if value not in ("", 0, {}):
            label = "dated" if name == "received_at" else name.replace("_", " ")  # by its round, not by a clock
            say(f"{label:<14} {value}")
    say("")
    say(text if len(text) <= MAX_TEXT_SHOWN else f"{text[:MAX_TEXT_SHOWN]}… (all of it with --raw)")
    if event_of(reject) != reject.raw:
        say("\nas an event, to be mended and sent again (as JSON, not as a row):")
        say(event_of(reject).decode("utf-8", "backslashreplace"))
    elif is_of_table(reject):
        say(f"\nThis is of a table: {TO_MEND_A_TABLE}")


@app.command()
def resubmit(
    context: typer.Context,
    number: Number,
    file: Annotated[str, typer.Argument(help="The mended event as JSON, or - (default: the same bytes again).")] = "",
    accept_too_old: Annotated[
        bool, typer.Option("--accept-too-old", help="Go on although it is beyond the horizon (it is refused again).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send a refused record again, mended or (without FILE) as it was; it goes through the door like any other.

    If it is refused again it becomes a new reject that names this one. Sending the same content twice does nothing.

    Example: tallybook rejects show 1 --raw | sed s/EURO/EUR/ | tallybook rejects resubmit 1 -
    """
    from tallybook.projecting import follow_books
    from tallybook.rejects import resubmit_event

    mended: bytes | None = None
    if file == "-":
        mended = sys.stdin.buffer.read()
    elif file:
        mended = _read(Path(file))
    folder = Folder(context.obj)
    done = resubmit_event(folder, number, mended, now=now_ms(), accept_too_old=accept_too_old)
    if as_json:
        imported = done.imported
        show_json({"facts": imported.facts, "already": done.already, "rejects": imported.rejects})
    else:
        for line in done.report():
            say(line)
    follow_books(folder)
    if done.imported.rejects:
        raise typer.Exit(Exit.FOUND)


def _read(file: Path) -> bytes:
    from tallybook.folder import FolderRefused

    try:
        return file.read_bytes()
    except OSError as error:
        raise FolderRefused(f"{file}: {error.strerror}. Name a file with the mended event as JSON.") from error
