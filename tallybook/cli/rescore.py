"""Commands that score history again under other rules, and show, explain, export and discard what was found."""

from pathlib import Path
from typing import Annotated

import typer

from tallybook.cli.options import AsJson, PointValue
from tallybook.cli.rescore_options import (
    Drafts,
    FromWhen,
    Members,
    Processes,
    RulesTried,
    Sampled,
    Semantics,
    Timeline,
    UntilWhen,
    asked_drafts,
    asked_members,
)
from tallybook.clock import now_ms
from tallybook.exit_codes import Exit
from tallybook.folder.folder import Folder, FolderRefused
from tallybook.screen import note, say, show_json, show_table

app = typer.Typer(
    no_args_is_help=True, help="Score history again under other rules, and see who gains, who loses and why."
)
RunNumber = Annotated[str, typer.Argument(help="The run's number (default: the last one).", show_default=False)]


@app.command()
def run(
    context: typer.Context,
    rules: RulesTried = None,
    from_: FromWhen = "",
    until: UntilWhen = "",
    drafts: Drafts = None,
    timeline: Timeline = None,
    members: Members = "",
    sample: Sampled = "",
    processes: Processes = None,
    point_value: PointValue = "",
    semantics: Semantics = None,
    as_json: AsJson = False,
) -> None:
    """Decide all history again with other rules from a day on, and say what changes; the books are not touched.

    The rules of the books are decided beside it and proven by the ledger's digest. Stopped, the same command goes on.
    Ends with 0 if nothing changes, with 4 if anything does.

    Example: tallybook rescore run --rules rulesets/my-shop/2026.3.yaml --from 2026-07-01 --point-value "0.01 EUR"

    Example: tallybook rescore run --draft half=half.yaml --draft none=none.yaml --from 2026-07-01 --sample 5%
    """
    from tallybook.folder.session import cores
    from tallybook.open_books import open_books
    from tallybook.rescore.carry_out import carry_out
    from tallybook.rescore.fill_tables import bring_in_runs
    from tallybook.rescore.plan import make_plan
    from tallybook.rescore.print_summary import print_plan, print_summary
    from tallybook.rescore.summary import summarise

    folder = Folder(context.obj)
    asked = asked_drafts(rules, from_, until, drafts or [], timeline)
    with open_books(folder) as log:
        plan = make_plan(log, asked, asked_members(members, sample), point_value, semantics)
    if not as_json:
        print_plan(plan)
    done = carry_out(folder, plan, processes or cores())
    bring_in_runs(folder)
    found = [summarise(done, draft.name) for draft in plan.drafts]
    if as_json:
        import msgspec

        show_json({"run": done.number, "drafts": msgspec.to_builtins(found)})
    else:
        for each in found:
            print_summary(each)
    if any(each.changes_anything for each in found):
        raise typer.Exit(Exit.FOUND)


@app.command("list")
def list_runs(context: typer.Context, as_json: AsJson = False) -> None:
    """The runs that are kept, with their drafts and what they came to.

    Example: tallybook rescore list
    """
    from schemas.instants import format_instant
    from tallybook.rescore.runs import Runs

    runs = Runs(Folder(context.obj))
    events = runs.events()
    finished = {event.run for event in events if event.what == "finished"}
    opened = {event.run: event for event in events if event.what == "opened"}
    rows = []
    for each in runs.there():
        totals = each.totals()
        rows.append(
            {
                "run": each.number,
                "opened_at": format_instant(opened[each.number].at),
                "state": "finished" if each.number in finished else "unfinished",
                "drafts": ", ".join(opened[each.number].drafts),
                "members_changed": ", ".join(f"{draft.members:,}" for draft in totals.drafts),
                "points": ", ".join(f"{draft.balance_change:+,}" for draft in totals.drafts),
            }
        )
    if as_json:
        show_json(rows)
    else:
        show_table("Re-scorings", rows)
        if not rows:
            note("Begin one: tallybook rescore run --rules FILE --from DATE")


@app.command()
def show(
    context: typer.Context,
    number: RunNumber = "",
    as_json: AsJson = False,
) -> None:
    """What a run found, as when it ended.

    Example: tallybook rescore show 1
    """
    from tallybook.rescore.print_summary import print_plan, print_summary
    from tallybook.rescore.runs import Runs
    from tallybook.rescore.summary import summarise

    found = Runs(Folder(context.obj)).find(number)
    plan = found.plan()
    if not as_json:
        print_plan(plan)
        if (done := len(found.finished())) < len(plan.cuts):
            say(f"unfinished: {done} of {len(plan.cuts)} partitions are finished; what follows is theirs")
    summaries = [summarise(found, draft.name) for draft in plan.drafts]
    if as_json:
        import msgspec

        show_json({"run": found.number, "drafts": msgspec.to_builtins(summaries)})
        return
    for each in summaries:
        print_summary(each)


@app.command()
def compare(
    context: typer.Context,
    first: Annotated[str, typer.Argument(help="RUN, or RUN:DRAFT.", show_default=False)],
    second: Annotated[str, typer.Argument(help="RUN, or RUN:DRAFT.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Two drafts side by side: what each changes, by rule, and for whom they differ most.

    Example: tallybook rescore compare 1:half 1:none
    """
    from tallybook.rescore.compare_drafts import compare_drafts, print_compared
    from tallybook.rescore.runs import Runs

    found = compare_drafts(Runs(Folder(context.obj)), first, second)
    if as_json:
        import msgspec

        show_json(msgspec.to_builtins(found))
    else:
        print_compared(found)


@app.command()
def why(
    context: typer.Context,
    number: Annotated[str, typer.Argument(help="The run's number, or `last`.", show_default=False)],
    member: Annotated[str, typer.Argument(help="The member's id.", show_default=False)],
    event: Annotated[str, typer.Argument(help="Only this event.", show_default=False)] = "",
    draft: Annotated[str, typer.Option("--draft", help="Which draft (default: the first).")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000, help="How many facts are explained.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Why a member has more or less under a draft: each fact that differs, decided in both worlds.

    Example: tallybook rescore why 1 member-1

    Example: tallybook rescore why last member-1 purchase-1
    """
    from tallybook.open_books import open_books
    from tallybook.rescore.print_why import print_why
    from tallybook.rescore.runs import Runs
    from tallybook.rescore.why import explain_member
    from tallybook.screen import progress

    folder = Folder(context.obj)
    found = Runs(folder).find(number)
    plan = found.plan()
    chosen = found.draft(draft)
    with open_books(folder) as log, progress("deciding again", None) as tick:
        explained = explain_member(log, plan, chosen, member, event, tick)
    if as_json:
        import msgspec

        show_json(msgspec.to_builtins(explained))
    else:
        print_why(explained, limit)


@app.command()
def late(
    context: typer.Context,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=1_000, help="How many are named who would have most more, or less.")
    ] = 10,
    sample: Annotated[str, typer.Option("--sample", help="Only about so many members, such as 10%.")] = "",
    as_json: AsJson = False,
) -> None:
    """Who would have more or less had every fact come in order: a report, nothing is written.

    The facts of members with late ones are decided again by when they happened. Ends with 0 if nobody would have
    anything else, with 4 if somebody would.

    Example: tallybook rescore late

    Example: tallybook rescore late --limit 50 --json
    """
    from tallybook.open_books import open_books
    from tallybook.rescore.late import report_late
    from tallybook.rescore.print_late import print_late
    from tallybook.screen import progress

    with open_books(Folder(context.obj)) as log, progress("looking for late facts", None) as tick:
        report = report_late(log, asked_members("", sample), limit, tick)
    if as_json:
        show_json(report.as_json())
    else:
        print_late(report)
    if report.summary.changes_anything:
        raise typer.Exit(Exit.FOUND)


@app.command()
def export(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="The new file to write.", show_default=False)],
    number: RunNumber = "",
    draft: Annotated[str, typer.Option("--draft", help="Which draft (default: all of them).")] = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV with a header line.")] = False,
    as_parquet: Annotated[bool, typer.Option("--parquet", help="Parquet.")] = False,
    of_members: Annotated[bool, typer.Option("--members", help="One row per member instead of per line.")] = False,
) -> None:
    """Write what a run found into a file: a row for each line that differs, or for each member.

    The same rows are in the tables: rescore_lines, rescore_members, and rescore_by_rule, _day, _store and _reason.

    Example: tallybook rescore export 1 --csv --output differences.csv
    """
    from tallybook.rescore.fill_tables import bring_in_runs
    from tallybook.rescore.runs import Runs
    from tallybook.tables.catch_up import caught_up

    if as_csv == as_parquet:
        raise typer.BadParameter("say which: --csv or --parquet")
    if output.exists():
        raise FolderRefused(f"{output} is there already: name a new file")
    folder = Folder(context.obj)
    runs = Runs(folder)
    found = runs.find(number)
    runs.require_finished(found)
    if draft:
        found.draft(draft)
    bring_in_runs(folder)
    table = "rescore_members" if of_members else "rescore_lines"
    query = f"SELECT * FROM {table} WHERE run = {{run:String}} AND ({{draft:String}} = '' OR draft = {{draft:String}})"
    with caught_up(folder) as store:
        answer = store.export(
            f"{query} ORDER BY ALL", "CSVWithNames" if as_csv else "Parquet", {"run": found.number, "draft": draft}
        )
    output.write_bytes(answer)
    say(f"{output}: {len(answer):,} bytes")


@app.command()
def report(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="The HTML file to write.", show_default=False)],
    number: RunNumber = "",
    draft: Annotated[str, typer.Option("--draft", help="Which draft (default: the first).")] = "",
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write what a run found as one HTML page with charts, to be read without Tallybook and without a network.

    Needs more than a plain installation has: pip install 'tallybook[report]'.

    Example: tallybook rescore report 1 --output report.html
    """
    from tallybook.rescore.report.write_report import write_report

    written = write_report(Folder(context.obj), number, draft, output, may_replace=force)
    say(f"{output}: run {written.run}, draft {written.draft}, {written.size:,} bytes")
    if written.others:
        note(f"other drafts of this run, each by --draft: {', '.join(written.others)}")


@app.command()
def discard(
    context: typer.Context,
    number: Annotated[str, typer.Argument(help="The run's number.", show_default=False)],
) -> None:
    """Remove what a run found; its number is not used again, and the logbook keeps that it was there.

    Example: tallybook rescore discard 1
    """
    from tallybook.rescore.fill_tables import bring_in_runs
    from tallybook.rescore.runs import Runs

    folder = Folder(context.obj)
    runs = Runs(folder)
    asked = runs.find(number).number  # before anything is made where nothing was re-scored
    with runs.held(now_ms()):
        found = runs.find(asked)
        runs.discard(found, now_ms())
    bring_in_runs(folder)
    say(f"run {found.number} is discarded")
