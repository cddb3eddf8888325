"""Commands for refused records: `list` them, `show` one with its original bytes, `resubmit` it mended."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tallybook.cli.options import AsJson
from tallybook.clock import now_ms
from tallybook.exit_codes import Exit
from tallybook.folder.folder import Folder
from tallybook.screen import note, say, show_json, show_table

if TYPE_CHECKING:  # commands that do not look at rejects need not load it
    from schemas.pages import Reject

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
    """List the newest refused records: why each was refused, where it came from, and whether it was sent again.

    `came in` says that an event of its source and id came in since, from a table that was mended perhaps.

    Of a stream no more is read than needed, and `sent again` is known only of records that were refused again.

    Example: tallybook rejects list --reason unknown_currency
    """
    from tallybook.folder.rejects import came_in, kept_rejects, reject_row

    folder = Folder(context.obj)
    if folder.is_stream:
        _list_stream(folder, reason, limit, as_json=as_json)
        return
    kept = kept_rejects(folder, reason)
    newest = kept.rejects[-limit:]
    came = came_in(folder, newest)
    rows = [reject_row(reject, kept.sent_again) | {"came_in": reject.number in came} for reject in newest]
    if as_json:
        show_json({"count": len(kept.rejects), "by_reason": kept.by_reason, "rejects": rows})
    else:
        _show_rows(rows, len(kept.rejects), kept.by_reason)


def _list_stream(folder: Folder, reason: str, limit: int, *, as_json: bool) -> None:
    import msgspec

    from tallybook.stream.open import open_stream_log
    from tallybook.stream.rejects import newest_rejects

    found = newest_rejects(open_stream_log(folder.root), limit, reason)
    if as_json:
        content = msgspec.to_builtins(found)
        show_json(
            {"count": found.count, "by_reason": found.by_reason, "rejects": content["rows"]}
            | {"looked_from": found.looked_from}
        )
        return
    for row in found.rows:
        row["sent_again"] = row["sent_again"] or "not known"
    _show_rows(found.rows, found.count, found.by_reason)
    if found.looked_from > 1:
        say(f"(of those from number {found.looked_from:,} on; --limit N looks further back)")


def _show_rows(rows: list[dict[str, Any]], count: int, by_reason: dict[str, int]) -> None:
    columns = ("number", "reason", "field", "input_name", "record", "event_id", "sent_again", "came_in", "message")
    title = f"Refused records: {count:,}" + (f", of which the newest {len(rows):,}" if len(rows) < count else "")
    shown = [name for name in columns if rows and name in rows[0]]
    show_table(title, rows, {name: name.replace("_", " ") for name in shown})
    if by_reason:
        say(", ".join(f"{count:,} {name}" for name, count in by_reason.items()))


@app.command()
def show(
    context: typer.Context,
    number: Number,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="Print only the original bytes, exactly (a table's rows, but resubmit takes JSON)."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show one refused record: what is wrong with it, what to change, and the original.

    Example: tallybook rejects show 1 --raw > mended.json
    """
    from processors.intake.refusal import EVENT_HEADER, event_of
    from tallybook.folder.rejects import TO_MEND_A_TABLE, is_of_table, reject_row

    reject, sent_again, came = _find(Folder(context.obj), number)
    if raw:
        sys.stdout.buffer.write(reject.raw)
        sys.stdout.flush()
        return
    text = reject.raw.decode("utf-8", "backslashreplace")
    row: dict[str, Any] = reject_row(reject, frozenset()) | {
        "sent_again": sent_again,
        "came_in": came,
        "headers": reject.headers,
    }
    if as_json:
        show_json(row | {"raw": text, "raw_hex": reject.raw.hex()})
        return
    for name, value in row.items():
        if value not in ("", 0, {}, None):
            label = "dated" if name == "received_at" else name.replace("_", " ")  # by its round, not by a clock
            say(f"{label:<14} {value}")
    say("")
    say(text if len(text) <= MAX_TEXT_SHOWN else f"{text[:MAX_TEXT_SHOWN]}… (all of it with --raw)")
    if EVENT_HEADER in reject.headers:
        say("\nas an event, to be mended and sent again (as JSON, not as a row):")
        say(event_of(reject).decode("utf-8", "backslashreplace"))
    elif is_of_table(reject):
        say(f"\nThis is of a table: {TO_MEND_A_TABLE}")


def _find(folder: Folder, number: int) -> tuple[Reject, bool | None, bool | None]:
    """Find a reject, whether it was sent again, and whether its event came in, where that is known."""
    if folder.is_stream:
        from tallybook.stream.open import open_stream_log
        from tallybook.stream.rejects import reject_at, was_sent_again

        log = open_stream_log(folder.root)
        return reject_at(log, number), was_sent_again(log, number), None
    from tallybook.folder.rejects import came_in, kept_rejects, reject_named

    kept = kept_rejects(folder)
    reject = reject_named(kept, number)
    return reject, number in kept.sent_again, bool(came_in(folder, [reject]))


@app.command()
def resubmit(
    context: typer.Context,
    number: Annotated[int, typer.Argument(min=0, help="The reject's number (none with --all).")] = 0,
    file: Annotated[str, typer.Argument(help="The mended event as JSON, or - (default: the same bytes again).")] = "",
    accept_too_old: Annotated[
        bool, typer.Option("--accept-too-old", help="Go on although it is beyond the horizon (it is refused again).")
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Of a stream: all of one --reason that were not refused again since.")
    ] = False,
    reason: Annotated[str, typer.Option(help="With --all: of which reason, such as bad_frame.")] = "",
    start: Annotated[int, typer.Option("--from", min=1, help="With --all: from which number on.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Send a refused record again, mended or (without FILE) as it was; it is validated like any other.

    If it is refused again for the same reason, nothing changes; for another one, it becomes a new reject that names
    this one. What was taken in does nothing when it is sent once more.

    Of a stream it goes to the topic that it came from, with its headers, and the intake takes it from there.

    Example: tallybook rejects show 1 --raw | sed s/EURO/EUR/ | tallybook rejects resubmit 1 -

    Example: tallybook rejects resubmit --all --reason bad_frame
    """
    if every == bool(number) or every != bool(reason) or (every and file):
        raise typer.BadParameter("give the NUMBER of one reject (and a FILE), or --all and --reason REASON")
    folder = Folder(context.obj)
    if every:
        _resubmit_all(folder, reason, start, as_json=as_json)
        return
    mended: bytes | None = None
    if file == "-":
        mended = sys.stdin.buffer.read()
    elif file:
        mended = _read(Path(file))
    if folder.is_stream:
        _resubmit_to_stream(folder, number, mended, as_json=as_json)
    else:
        _resubmit_to_files(folder, number, mended, accept_too_old=accept_too_old, as_json=as_json)


def _resubmit_to_files(
    folder: Folder, number: int, mended: bytes | None, *, accept_too_old: bool, as_json: bool
) -> None:
    from tallybook.folder.rejects import resubmit_event
    from tallybook.tables.alarms import alarms_of, not_acknowledged
    from tallybook.tables.catch_up import update_after_import

    done = resubmit_event(folder, number, mended, now=now_ms(), accept_too_old=accept_too_old)
    if as_json:
        names = ("facts", "already", "rejects", "refused_again", "conflicts")
        show_json({name: getattr(done, name) for name in names})
    else:
        for line in done.report():
            say(line)
    shared = not_acknowledged(folder, update_after_import(folder))
    for line in alarms_of(shared):
        note(line)
    if done.has_alarm or shared:
        raise typer.Exit(Exit.FOUND)


def _resubmit_to_stream(folder: Folder, number: int, mended: bytes | None, *, as_json: bool) -> None:
    from tallybook.stream.open import open_stream
    from tallybook.stream.rejects import resubmit_one

    to = resubmit_one(open_stream(folder.root), number, mended)
    if as_json:
        show_json({"sent": 1, "to": to})
    else:
        say(f"reject {number} was sent to {to} again, {'as it was' if mended is None else 'mended'}. If the intake")
        say("refuses it for another reason, `tallybook rejects list` shows a new reject that names this one; if for")
        say("the same reason, this one stands, and the intake's metric tallybook_refused_again counts it.")


def _resubmit_all(folder: Folder, reason: str, start: int, *, as_json: bool) -> None:
    import msgspec

    from tallybook.folder.folder import FolderRefused

    if not folder.is_stream:
        raise FolderRefused("--all is for a stream. In a folder send one reject at a time, or import the file again.")
    from tallybook.stream.open import open_stream
    from tallybook.stream.rejects import MAX_SHOWN, resubmit_all

    done = resubmit_all(open_stream(folder.root), reason, start)
    if as_json:
        show_json(msgspec.to_builtins(done))
    else:
        say(f"{done.sent:,} rejects with reason {reason} were sent again, each to the topic that it came from")
        for line in done.unsendable[:MAX_SHOWN]:
            note(line)
        if done.unsendable:
            say(f"{len(done.unsendable):,} were not, because they cannot be")
        if done.next_number:
            say(f"That is as many as are sent at a time; go on with --from {done.next_number}")
    if done.unsendable:
        raise typer.Exit(Exit.FOUND)


def _read(file: Path) -> bytes:
    from tallybook.folder.folder import FolderRefused

    try:
        return file.read_bytes()
    except OSError as error:
        raise FolderRefused(f"{file}: {error.strerror}. Name a file with the mended event as JSON.") from error
