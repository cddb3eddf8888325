"""Commands that read the tables: `balance`, `statement`, `leaderboard`, `members`, `sql`; `address` for programs."""

import sys
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from tallybook.cli.options import AsJson
from tallybook.folder.folder import Folder, FolderRefused
from tallybook.screen import say, show_json, show_table

Member = Annotated[str, typer.Argument(help="The member's id.", show_default=False)]
MAX_LIMIT = 100_000


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(balance)
    app.command()(statement)
    app.command()(leaderboard)
    app.command()(members)
    app.command()(sql)
    app.command()(address)


def balance(context: typer.Context, member: Member, as_json: AsJson = False) -> None:
    """Show what a member has as of the last tick, and which points of it expire next.

    Example: tallybook balance member-1
    """
    from tallybook.tables.catch_up import caught_up
    from tallybook.tables.reports import balance_of, print_balance

    with caught_up(Folder(context.obj)) as store:
        if as_json:
            show_json(balance_of(store, member))
        else:
            print_balance(store, member)


def statement(
    context: typer.Context,
    member: Member,
    limit: Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="How many entries.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show a member's last entries with the running balance, newest last, and the points that expire next.

    Example: tallybook statement member-1 --limit 50
    """
    from tallybook.tables.catch_up import caught_up
    from tallybook.tables.reports import print_statement, statement_of

    with caught_up(Folder(context.obj)) as store:
        if as_json:
            show_json(statement_of(store, member, limit))
        else:
            print_statement(store, member, limit)


def leaderboard(
    context: typer.Context,
    period: Annotated[str, typer.Option(help="day, week, month, year or all.")] = "all",
    at: Annotated[str, typer.Option(help="A local date in the period, such as 2026-11-30 (default: the last).")] = "",
    store_id: Annotated[str, typer.Option("--store", help="Only what was earned in this store.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="How many places.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Show who earned most, of all time or in the period around a date; ties go to who got there first.

    Points count in the period in which their fact happened, and expiry takes nothing away.

    Example: tallybook leaderboard --period month --at 2026-11-30 --store store-1
    """
    from tallybook.tables.catch_up import caught_up
    from tallybook.tables.reports import PERIODS, leaderboard_of, print_leaderboard

    if period not in PERIODS:
        raise typer.BadParameter(f"{period!r} is no period; there are: {', '.join(PERIODS)}")
    try:
        day = date.fromisoformat(at) if at else None
    except ValueError as error:
        raise typer.BadParameter(f"{at!r} is no date: write it such as 2026-11-30") from error
    if at and period == "all":
        raise typer.BadParameter("--at names a date in a period: give --period day, week, month or year with it")
    with caught_up(Folder(context.obj)) as store:
        if as_json:
            show_json(leaderboard_of(store, period=period, at=day, store_id=store_id, limit=limit))
        else:
            print_leaderboard(store, period=period, at=day, store_id=store_id, limit=limit)


def members(
    context: typer.Context,
    after: Annotated[str, typer.Option(help="Begin after this member.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="How many members.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List who has an account, in order of the ids, with the balance and how the account was opened.

    Example: tallybook members --after member-100
    """
    from projections.answers import queries as readers
    from tallybook.tables.catch_up import caught_up
    from tallybook.tables.reports import as_of, plain, told_as_of

    with caught_up(Folder(context.obj)) as store:
        rows = [plain(line) for line in readers.members(store, after, limit)]
        tick = as_of(store)
    if as_json:
        show_json({"as_of": tick, "members": rows})
    else:
        columns = ("member_id", "balance", "postings", "opened_on", "opened_by", "updated_at")
        show_table(f"Members {told_as_of(tick)}", rows, {name: name.replace("_", " ") for name in columns})


def sql(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="One query; without it a prompt, or standard input.")] = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV with a header line.")] = False,
    as_parquet: Annotated[bool, typer.Option("--parquet", help="Parquet: give --output, or pipe it on.")] = False,
    as_json: AsJson = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the answer to this new file.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write --output over a file that is there.")] = False,
) -> None:
    """Ask the tables in SQL (ClickHouse's dialect); nothing can be changed by a query.

    With --json the answer is one array of objects, [] where there are no rows.

    The views are in the database `tallybook`, which may be left out: SHOW TABLES, DESCRIBE balances.

    Example: tallybook sql "SELECT rule_id, sum(points) FROM ledger GROUP BY rule_id" --csv

    Example: tallybook sql "SELECT * FROM statement" --parquet --output statement.parquet
    """
    from tallybook.tables.catch_up import caught_up
    from tallybook.tables.sql import FORMATS, answer, prompt

    asked = [name for name, wanted in (("csv", as_csv), ("parquet", as_parquet), ("json", as_json)) if wanted]
    if len(asked) > 1:
        raise typer.BadParameter(f"choose one of --{' and --'.join(asked)}")
    form = FORMATS[asked[0] if asked else "table"]
    if as_parquet and output is None and sys.stdout.isatty():
        raise typer.BadParameter("Parquet cannot be shown on a terminal: give --output FILE, or pipe it on")
    is_prompt = not query and sys.stdin.isatty()
    text = query or ("" if is_prompt else sys.stdin.read())
    if not is_prompt and not text.strip():
        raise typer.BadParameter('there is no query: tallybook sql "SELECT * FROM balances"')
    folder = Folder(context.obj)
    if output is not None:
        _require_writable(folder, output, force=force)
    with caught_up(folder) as store:
        if is_prompt:
            prompt(store, form)
        elif output is not None:
            output.write_bytes(answer(store, text, form, plain=True))
        else:
            sys.stdout.buffer.write(answer(store, text, form))
            sys.stdout.flush()


def address(context: typer.Context, as_json: AsJson = False) -> None:
    """Show where the tables are served while `tallybook run --follow` has them open, and how to connect.

    Any program that speaks ClickHouse's HTTP interface can read there, on this machine alone: Grafana, DBeaver,
    clickhouse-connect, curl. Whoever has the token can read all there is; a new run makes a new one.

    Example: tallybook address
    """
    from tallybook.tables.open_tables import address_of

    found = address_of(Folder(context.obj))
    if as_json:
        import msgspec

        show_json(msgspec.to_builtins(found))
        return
    lines = {
        "host": found.host,
        "port": str(found.port),
        "user": found.user,
        "password": found.token,
        "database": "tallybook",
        "try": f"curl --user {found.user}:{found.token} http://{found.host}:{found.port} --data 'SHOW TABLES'",
    }
    for name, value in lines.items():
        say(f"{name:<9} {value}")


def _require_writable(folder: Folder, output: Path, *, force: bool) -> None:
    """Refuse to write an answer over a file, or among the files of the programme itself."""
    target = output.resolve()
    for kept in (folder.books, folder.snapshots, folder.clickhouse):
        if target.is_relative_to(kept.resolve()):
            raise FolderRefused(f"{output} lies in {kept}, which only Tallybook writes: name another file")
    if target.is_dir():
        raise FolderRefused(f"{output} is a folder: name a file in it")
    if target.exists() and not force:
        raise FolderRefused(f"{output} is there already: name another file, or write over it with --force")
