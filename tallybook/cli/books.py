"""Commands that fill the books: `import` files, `run` what lies in the inbox, and the `status` of it all."""

import sys
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from processors.intake.formats import Format
from tallybook.cli.options import AsJson, FormatOption, MappingOption
from tallybook.clock import now_ms
from tallybook.exit_codes import Exit
from tallybook.folder.folder import Folder
from tallybook.screen import note, say, show_json, show_table

AsIs = Annotated[bool, typer.Option("--as-is", help="Keep the order of the files instead of sorting by time.")]
AcceptTooOld = Annotated[
    bool, typer.Option("--accept-too-old", help="Go on although some facts are beyond the horizon (they are refused).")
]
AcceptRoundedIds = Annotated[
    bool, typer.Option("--accept-rounded-ids", help="Go on although all long ids of a kind end in zeros.")
]
AcceptOtherKeys = Annotated[
    bool,
    typer.Option("--accept-other-keys", help="Go on although most purchases are in the books under other keys."),
]
NoProject = Annotated[bool, typer.Option("--no-project", help="Only the books; the tables are filled later.")]
Processes = Annotated[
    int | None,
    typer.Option(min=1, max=64, help="How many processes decide (default: one per core, where there is much to do)."),
]


class _Options(NamedTuple):
    """The options of an import."""

    as_is: bool
    accept_too_old: bool
    accept_rounded_ids: bool
    accept_other_keys: bool
    project: bool
    processes: int | None
    are_of_inbox: bool = False


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("import")(import_)
    app.command()(run)
    app.command()(status)


def import_(
    context: typer.Context,
    files: Annotated[
        list[str], typer.Argument(help="JSON lines, CSV, Avro or Parquet files, or - for standard input.")
    ],
    mapping: MappingOption = None,
    form: FormatOption = None,
    as_is: AsIs = False,
    accept_too_old: AcceptTooOld = False,
    accept_rounded_ids: AcceptRoundedIds = False,
    accept_other_keys: AcceptOtherKeys = False,
    no_project: NoProject = False,
    processes: Processes = None,
) -> None:
    """Take files into the books: validate, journal, decide, and bring the tables up to date.

    Importing a file again judges only what was refused; a file that grew brings in what is new. Refused records are
    kept: see `tallybook rejects list`. Ends with 4 if there are any, or conflicts: see `tallybook status`.

    Example: tallybook import pos-2026-11.jsonl shop.csv --mapping shop.yaml
    """
    options = _Options(as_is, accept_too_old, accept_rounded_ids, accept_other_keys, not no_project, processes)
    _import(Folder(context.obj), files, mapping, form, options)


def run(
    context: typer.Context,
    source: Annotated[
        str | None, typer.Argument(metavar="[-]", help="With --follow: - takes in standard input too.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with what appears in the inbox, until Ctrl-C or SIGTERM.")
    ] = False,
    mapping: MappingOption = None,
    form: FormatOption = None,
    as_is: AsIs = False,
    accept_too_old: AcceptTooOld = False,
    accept_rounded_ids: AcceptRoundedIds = False,
    accept_other_keys: AcceptOtherKeys = False,
    processes: Processes = None,
) -> None:
    """Import whatever lies in the folder's inbox, bring the tables up to date, and end.

    Files stay where they are; one that was taken in before is known by its content and does nothing.

    With --follow it does not end: what appears is taken in as it comes, ticks are written by the clock, and the tables
    follow within a second. Files that are in move to inbox/taken, those that cannot be read to inbox/refused. Write a
    file under a name that ends in .part, and rename it when it is whole. It ends with 4 if there were conflicts.

    Example: cp pos-today.jsonl inbox/ && tallybook run

    Example: tallybook run --follow

    Example: tail -F app.log | tallybook run --follow -
    """
    folder = Folder(context.obj)
    if source not in {None, "-"}:
        raise typer.BadParameter(f"{source!r}: files are for `tallybook import`, or put them into {folder.inbox}")
    if follow:
        _follow(folder, mapping, form, processes, reads_standard_input=source is not None)
        return
    if source is not None:
        raise typer.BadParameter("- goes with --follow; to take standard input in once: tallybook import -")
    options = _Options(
        as_is,
        accept_too_old,
        accept_rounded_ids,
        accept_other_keys,
        project=True,
        processes=processes,
        are_of_inbox=True,
    )
    _import(folder, _of_inbox(folder), mapping, form, options)


def _of_inbox(folder: Folder) -> list[str]:
    """The files of the inbox in the natural order of their names."""
    from processors.intake.file_sequence import by_name
    from tallybook.follow.inbox import SUFFIXES, is_inbox_file

    files = (file for file in folder.inbox.glob("*") if is_inbox_file(file.name))
    found = sorted(files, key=lambda file: by_name(file.name))
    if not found:
        note(f"{folder.inbox} is empty: put {', '.join(SUFFIXES)} files there")
    return [str(file) for file in found]


def _follow(
    folder: Folder, mapping: Path | None, form: Format | None, processes: int | None, *, reads_standard_input: bool
) -> None:
    from tallybook.follow.follow import follow_folder

    done = follow_folder(
        folder,
        now_ms,
        mapping=mapping,
        descriptor=sys.stdin.fileno() if reads_standard_input else None,
        form=form,
        processes=processes or 1,
    )
    if done.conflicts or done.shared_keys:
        raise typer.Exit(Exit.FOUND)


def _import(folder: Folder, files: list[str], mapping: Path | None, form: Format | None, options: _Options) -> None:
    from tallybook.folder.import_files import import_files
    from tallybook.tables.alarms import alarms_of, not_acknowledged
    from tallybook.tables.catch_up import update_after_import

    done = import_files(
        folder,
        files,
        mapping,
        now=now_ms(),
        as_is=options.as_is,
        accept_too_old=options.accept_too_old,
        accept_rounded_ids=options.accept_rounded_ids,
        accept_other_keys=options.accept_other_keys,
        form=form,
        processes=options.processes,
        are_of_inbox=options.are_of_inbox,
    )
    for line in done.report():
        say(line)
    shared = not_acknowledged(folder, update_after_import(folder)) if options.project else []
    for line in alarms_of(shared):
        say(line)
    if done.has_alarm or shared:
        raise typer.Exit(Exit.FOUND)


def status(
    context: typer.Context,
    as_json: AsJson = False,
    watch_seconds: Annotated[
        float, typer.Option(min=0, max=600, help="On Kafka: the seconds between two looks at each stage's progress.")
    ] = 3.0,
) -> None:
    """Show what the folder holds: books, last tick, rules in force, inputs, and how far the tables have followed.

    Of a stream: what waits for each stage, and which one has input and makes no progress; ends with 4 if one is stuck.

    Example: tallybook status
    """
    from tallybook.folder_status import status_of

    if Folder(context.obj).is_stream:
        _stream_status(context.obj, watch_seconds, as_json=as_json)
        return
    found = status_of(Folder(context.obj))
    if as_json:
        show_json(found)
        return
    inputs, conflicts_shown_by = found.pop("inputs"), found.pop("conflicts_shown_by")
    show_table("Folder", [{"what": name.replace("_", " "), "value": value} for name, value in found.items()])
    show_table("Inputs taken in", inputs)
    if conflicts_shown_by:
        say(f"conflicts: {conflicts_shown_by}")


def _stream_status(root: Path, watch_seconds: float, *, as_json: bool) -> None:
    from tallybook.stream.open import open_stream
    from tallybook.stream.status import stream_status

    found = stream_status(open_stream(root), watch_seconds=watch_seconds, now_ms=now_ms)
    stuck, verdict = found["stuck"], found["verdict"]
    if as_json:
        show_json(found)
    else:
        stages = [{**row, "partitions": "; ".join(row["partitions"]) or None} for row in found.pop("stages")]
        shown_by = found.pop("conflicts_shown_by", None)
        lines = {name: value for name, value in found.items() if name not in {"stuck", "verdict"}}
        show_table("Stream", [{"what": name.replace("_", " "), "value": value} for name, value in lines.items()])
        columns = {"stage": "stage", "processes": "processes", "waiting": "waiting", "moves": "moves"}
        show_table("Stages", stages, {**columns, "is_stuck": "stuck", "partitions": "where"})
        for line in (*verdict, *([f"conflicts: {shown_by}"] if shown_by else [])):
            say(line)
    if stuck:
        raise typer.Exit(Exit.FOUND)
