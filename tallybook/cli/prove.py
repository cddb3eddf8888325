"""Commands that prove the points: `explain` one event or member, `verify` all postings, `audit` the tables.

What an audit found may be right all the same: `acknowledge` it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tallybook.cli.options import AsJson
from tallybook.clock import now_ms
from tallybook.exit_codes import Exit
from tallybook.folder.folder import Folder, load_published
from tallybook.screen import counted, progress, say, show_json, show_table

if TYPE_CHECKING:  # only `audit` asks the tables
    from projections.audits.run import Audited
    from projections.store import Row
    from tallybook.folder.acknowledged import Acknowledgement

NEWEST_FACTS = 10
MAX_ROWS_SHOWN = 20
MARKS = {True: "✓", False: "✗"}
WARNS = "!"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(explain)
    app.command()(verify)
    app.command()(audit)
    app.command()(acknowledge)


def explain(
    context: typer.Context,
    what: Annotated[str, typer.Argument(help="An event id, an order id, an entry id, or a member id.")] = "",
    event: Annotated[str, typer.Option("--event", help="Explain this event, even if a member has the same id.")] = "",
    member: Annotated[
        str, typer.Option("--member", help="Explain this member; beside an event: only what it did to this member.")
    ] = "",
    source: Annotated[str, typer.Option("--source", help="The publishing system, if several sent the same id.")] = "",
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=1_000, help="How many of a member's newest facts.")
    ] = NEWEST_FACTS,
    as_json: AsJson = False,
) -> None:
    """Say how an event became points, or why it did not; or what a member has and where it comes from.

    For an event: how far it came, every rule that was considered, the arithmetic, and the limits that cut it.

    Ends with 4 if the event came no further than the rejects.

    Example: tallybook explain purchase-1

    Example: tallybook explain --member member-1
    """
    from tallybook.explain.explain import explain_what

    wanted = event or what
    if not wanted and not member:
        raise typer.BadParameter("name an event or a member, such as: tallybook explain purchase-1")
    found = explain_what(Folder(context.obj), wanted, member, source, limit, only_events=bool(event))
    if as_json:
        show_json(found.as_json())
    else:
        found.show()
    if found.is_refused:
        raise typer.Exit(Exit.FOUND)


def verify(context: typer.Context, as_json: AsJson = False) -> None:
    """Decide every fact of the journal again and compare with the ledger; print both digests.

    The same facts under the same rules give the same digests, on any machine. Ends with 4 if anything differs.

    Example: tallybook verify
    """
    from books.log import postings_in
    from processors.replay.verify import verify_books
    from tallybook.open_books import open_books

    with open_books(Folder(context.obj)) as log:
        edition = log.current_edition()
        with progress("deciding again", postings_in(log, edition)) as tick:
            found = verify_books(log, edition, load_published, tick)
    if as_json:
        import msgspec

        show_json(msgspec.to_builtins(found))
    else:
        lines = f"{counted(found.lines, 'journal line')} (facts, ticks and openings)"
        say(f"{lines}, {counted(found.postings, 'posting')}, {counted(found.entries, 'entry', 'entries')}")
        if found.unscored:
            more = counted(found.unscored, "more line")
            say(f"{more} in the journal, not scored yet and not in the digests")
        say(f"journal digest {found.journal_digest}")
        say(f"ledger digest  {found.ledger_digest}")
        if found.differences:
            shown = [{"partition": one.partition, "place": one.place, "difference": one.what} for one in found.shown]
            show_table(f"Differences: {found.differences:,}, of which {len(shown)} shown", shown)
        else:
            say("every posting is what the rules make of its fact")
    if found.differences:
        raise typer.Exit(Exit.FOUND)


def audit(context: typer.Context, as_json: AsJson = False) -> None:
    """Ask the tables for what must not be there: points out of nothing, gaps, double keys, look-alikes, negative lots.

    Each audit is a query that must return no rows. Ends with 4 if one returns any, and shows them. What publishers have
    sent and cannot take back is acknowledged by `tallybook acknowledge`. Conflicts fail
    no audit, as the later fact had no effect; their number is printed below the audits.

    Example: tallybook audit
    """
    from projections.answers.queries import conflicts
    from projections.audits.run import run_audits
    from tallybook.folder.acknowledged import by_audit, read_acknowledged
    from tallybook.folder.journal_keys import CONFLICTS_SHOWN_BY
    from tallybook.tables.catch_up import caught_up
    from tallybook.tables.reports import as_of, told_as_of

    folder = Folder(context.obj)
    known = {} if folder.is_stream else by_audit(read_acknowledged(folder))
    with caught_up(folder) as store:
        results = run_audits(store, known)
        tick, repeated = as_of(store), conflicts(store)
    failed = [result for result in results if result.fails]
    if as_json:
        show_json({"as_of": tick, "conflicts": repeated} | _as_json(results, known))
    else:
        for result in results:
            _show_audit(result, known.get(result.name, {}), advises=not folder.is_stream)
        said = f"{len(failed)} of them found what must not be there" if failed else "nothing found, as it must be"
        say(f"{len(results)} audits {told_as_of(tick)}: {said}")
        if repeated:
            say(f"{counted(repeated, 'conflict')} in these books, which no audit covers: {CONFLICTS_SHOWN_BY}")
    if failed:
        raise typer.Exit(Exit.FOUND)


def _as_json(results: list[Audited], known: dict[str, dict[str, Acknowledgement]]) -> dict[str, Any]:
    return {
        "audits": [result.name for result in results],
        "found": {result.name: result.rows for result in results if result.fails},
        "warnings": {result.name: result.rows for result in results if result.rows and not result.fails},
        "acknowledged": {
            result.name: [_with_reason(row, known[result.name]) for row in result.acknowledged]
            for result in results
            if result.acknowledged
        },
    }


def _show_audit(result: Audited, known: dict[str, Acknowledgement], *, advises: bool) -> None:
    from projections.audits.run import KEY

    mark = WARNS if result.rows and not result.fails else MARKS[not result.rows]
    acknowledged = f" ({len(result.acknowledged):,} acknowledged)" if result.acknowledged else ""
    say(f"{mark} {result.name.replace('_', ' ')}{acknowledged}")
    if result.rows:
        shown = result.rows[:MAX_ROWS_SHOWN]
        show_table(f"rows: {len(result.rows):,}, of which {len(shown)} shown", shown)
        if advises and KEY in shown[0]:
            say(f"when it is looked into: tallybook acknowledge {result.name} KEY --reason TEXT --by NAME")
    for row in result.acknowledged[:MAX_ROWS_SHOWN]:
        said = _with_reason(row, known)
        say(f"  {row[KEY]}: acknowledged by {said['acknowledged_by']} at {said['acknowledged_at']}: {said['reason']}")


def _with_reason(row: Row, known: dict[str, Acknowledgement]) -> Row:
    from projections.audits.run import row_text

    said = known[row_text(row)]
    return row | {"acknowledged_by": said.by, "acknowledged_at": said.at, "reason": said.reason}


def acknowledge(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="AUDIT", help="The audit, such as keys_of_two_members.")],
    keys: Annotated[list[str] | None, typer.Argument(metavar="[KEY]...", help="Keys of rows that it shows.")] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why the rows are right, or what was done about them.")] = "",
    by: Annotated[str, typer.Option("--by", help="Who says so.")] = "",
    every: Annotated[bool, typer.Option("--all", help="All rows that the audit shows now (1,000 at a time).")] = False,
) -> None:
    """Say that what an audit found is known: it is shown as acknowledged from then on, and the audit passes.

    This holds for each row as it is now. If more is found under its key later, the audit fails again. Acknowledgements
    are appended to acknowledged.jsonl in the folder, and never changed. They change no points.

    Example: tallybook acknowledge keys_of_two_members shop/9001 --reason "bert's points were taken back" --by ana
    """
    from projections.audits.run import run_audit
    from projections.sql_files import sql_file
    from tallybook.folder.acknowledged import acknowledge_rows, by_audit, chosen_rows, read_acknowledged, require_audit
    from tallybook.tables.catch_up import caught_up

    if not reason.strip() or not by.strip():
        raise typer.BadParameter("say why and who: --reason TEXT --by NAME")
    if bool(keys) == every:
        raise typer.BadParameter("name the keys of the rows, or say --all")
    folder = Folder(context.obj)
    audit_name = require_audit(folder, name)
    known = by_audit(read_acknowledged(folder))
    with caught_up(folder) as store:
        found = run_audit(sql_file("audits", audit_name), store, known.get(audit_name, {}))
    rows = chosen_rows(found, keys or ())
    if rows:
        acknowledge_rows(folder, audit_name, rows, reason=reason.strip(), by=by.strip(), now=now_ms())
    say(f"{audit_name}: {counted(len(rows), 'row')} acknowledged; {len(found.rows) - len(rows):,} left")
