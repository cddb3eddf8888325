"""Commands that prove the points: `explain` one event or member, `verify` all postings, `audit` the tables."""

from typing import Annotated

import typer

from tallybook.cli.options import AsJson
from tallybook.exit_codes import Exit
from tallybook.folder.folder import Folder, load_published
from tallybook.screen import progress, say, show_json, show_table

NEWEST_FACTS = 10
MAX_ROWS_SHOWN = 20
MARKS = {True: "✓", False: "✗"}


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(explain)
    app.command()(verify)
    app.command()(audit)


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
        lines = f"{found.lines:,} journal lines (facts, ticks and openings)"
        say(f"{lines}, {found.postings:,} postings, {found.entries:,} entries")
        if found.unscored:
            say(f"{found.unscored:,} more lines are journalled and not scored yet: they are not in the digests")
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
    """Ask the tables for what must not be there: points out of nothing, gaps, double keys, negative lots.

    Each audit is a query that must return no rows. Ends with 4 if one returns any, and shows them.

    Example: tallybook audit
    """
    from projections.audits.run import run_audits
    from tallybook.tables.catch_up import caught_up
    from tallybook.tables.reports import as_of

    with caught_up(Folder(context.obj)) as store:
        results = run_audits(store)
        tick = as_of(store)
    found = {name: rows for name, rows in results if rows}
    if as_json:
        show_json({"as_of": tick, "audits": [name for name, _ in results], "found": found})
    else:
        for name, rows in results:
            say(f"{MARKS[not rows]} {name.replace('_', ' ')}")
            if rows:
                shown = rows[:MAX_ROWS_SHOWN]
                show_table(f"rows: {len(rows):,}, of which {len(shown)} shown", shown)
        said = f"{len(found)} of them found what must not be there" if found else "nothing found, as it must be"
        say(f"{len(results)} audits as of {tick}: {said}")
    if found:
        raise typer.Exit(Exit.FOUND)
