"""Commands for rules: `check` and `try` a file, print the `schema`, `show` what is published, `publish` a version."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from tallybook.cli.options import AsJson, PointValue, per_million
from tallybook.clock import now_ms
from tallybook.exit_codes import Exit
from tallybook.folder.folder import Folder, FolderRefused
from tallybook.screen import note, say, show_json, show_table

app = typer.Typer(no_args_is_help=True, help="The programme's rules: check, try, publish and show them.")

MAX_DAYS = 3_660


@app.command()
def check(
    context: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Argument(help="Ruleset files (default: all of the folder's).", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with a ruleset, by file and line, what cannot be meant, and whether its examples come out.

    Ends with 3 if a file has an error or an example comes out otherwise, with 4 if it is not what the folder's books
    have as this version; warnings alone end with 0.

    Example: tallybook rules check rulesets/my-shop/2026.2.yaml
    """
    from tallybook.rules.check import check_ruleset
    from tallybook.rules.timeline import edited_files

    folder = Folder(context.obj)
    chosen = files or folder.ruleset_files()
    if not chosen:
        raise FolderRefused(f"{folder.rulesets} holds no ruleset: name the files to check")
    results = [check_ruleset(file) for file in chosen]
    edited = edited_files(folder)
    for result, file in zip(results, chosen, strict=True):
        result.compare(edited, file)
    if as_json:
        show_json([result.as_json() for result in results])
    else:
        for result in results:
            for line in result.report():
                say(line)
    _end_with(
        is_refused=any(result.is_refused for result in results), has_found=any(result.is_edited for result in results)
    )


@app.command("try")
def try_file(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The ruleset file that is being written.", show_default=False)],
    watch: Annotated[bool, typer.Option("--watch", help="Go on, and show it again whenever it is saved.")] = False,
    sample: Annotated[
        str, typer.Option("--sample", help="About so many members, such as 5% (default: as many as are quick).")
    ] = "",
    days: Annotated[
        int, typer.Option("--days", min=1, max=MAX_DAYS, help="For how many days before the last tick it would hold.")
    ] = 30,
    point_value: PointValue = "",
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with a ruleset, and what it would have changed for members in the last days; nothing is kept.

    It holds from the midnight so many days before the last tick, instead of all that is published. Ends with 3 if it
    has an error or an example comes out otherwise, with 4 if anything changes, else with 0; with --watch, Ctrl-C ends
    it with 0.

    Example: tallybook rules try rulesets/my-shop/2026.3.yaml --watch

    Example: tallybook rules try rulesets/my-shop/2026.3.yaml --days 90 --sample 10% --point-value "0.01 EUR"
    """
    from tallybook.rescore.plan import checked_worth
    from tallybook.rescore.print_tried import print_tried
    from tallybook.rescore.try_rules import tries
    from tallybook.rescore.watch_file import saved_contents, wait_a_moment
    from tallybook.screen import begin_page

    if watch and as_json:
        raise typer.BadParameter("--json is for a single try: leave --watch out")
    worth, share = checked_worth(point_value), per_million(sample) if sample else 0
    made = tries(Folder(context.obj), file, saved_contents(file, wait_a_moment), share, days, worth)
    try:
        tried = next(made)
        while watch:
            begin_page()
            print_tried(tried, file, days)
            tried = next(made)
    except KeyboardInterrupt:
        if not watch:
            raise
        note("stopped watching")
        return
    if as_json:
        show_json(tried.as_json())
    else:
        print_tried(tried, file, days)
    _end_with(is_refused=tried.checked.is_refused, has_found=tried.changes_anything)


@app.command()
def schema() -> None:
    """Print the JSON Schema of a ruleset, for an editor that completes and underlines.

    Example: tallybook rules schema > ruleset.schema.json
    """
    from processors.ruleset.json_schema import ruleset_json_schema

    show_json(ruleset_json_schema())


@app.command()
def show(
    context: typer.Context,
    version: Annotated[str, typer.Argument(help="Print the text of this version, exactly as published.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show the rule timeline as the journal has it: which version is in force from when.

    Example: tallybook rules show

    Example: tallybook rules show 1 > rulesets/starter/1.yaml
    """
    from tallybook.rules.timeline import timeline_of

    timeline = timeline_of(Folder(context.obj))
    if version:
        for published in timeline:
            if published.fact.version == version:
                if as_json:
                    show_json(published.row() | {"text": published.fact.text})
                else:
                    sys.stdout.write(published.fact.text)
                return
        known = ", ".join(dict.fromkeys(published.fact.version for published in timeline)) or "none"
        raise FolderRefused(f"version {version!r} was never published here; published are: {known}")
    rows = [published.row() for published in timeline]
    if as_json:
        show_json(rows)
        return
    shown = [row | {"ruleset_hash": f"{row['ruleset_hash'][:12]}…"} for row in rows]
    if not any(row["title"] for row in rows):
        shown = [{name: value for name, value in row.items() if name != "title"} for row in shown]
    show_table("Published rules, in the order of the journal", shown)
    if not rows:
        note("Publish one: tallybook rules publish FILE (in a folder with books, the first import does)")


@app.command()
def publish(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The ruleset file.", show_default=False)],
    effective_from: Annotated[
        str,
        typer.Option(
            "--effective-from",
            help="A local date or time, or an instant (default: now; for the first rules of empty books 1970-01-01).",
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Check a ruleset and put it into the journal; it decides facts that happen from then on.

    A published version never changes. Facts up to the last tick are decided already, so it cannot take effect before.

    Example: tallybook rules publish rulesets/my-shop/2026.2.yaml --effective-from 2027-01-01
    """
    from schemas.instants import format_instant
    from tallybook.rules.check import check_ruleset
    from tallybook.rules.publish import publication_warnings, publish_file

    checked = check_ruleset(file)
    for line in checked.report():
        note(line)
    if checked.is_refused:
        raise FolderRefused(f"{file} is not published. Nothing was changed.")
    published = publish_file(Folder(context.obj), file, effective_from, now_ms())
    for warning in [] if published is None else publication_warnings(Folder(context.obj), published):
        note(f"{file}: warning: {warning}")
    if as_json:
        show_json({"published": published is not None} | ({} if published is None else published.row()))
    elif published is None:
        say("this very ruleset is in force then already: nothing was published")
    else:
        fact = published.fact
        say(f"version {fact.version} published, in force from {format_instant(fact.effective_from)}")


def _end_with(*, is_refused: bool, has_found: bool) -> None:
    """End with the exit code of a ruleset that is refused, or of a finding; else go on."""
    if is_refused:
        raise typer.Exit(Exit.REFUSED)
    if has_found:
        raise typer.Exit(Exit.FOUND)
