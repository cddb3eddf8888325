"""Commands to begin with: `init` a folder, print an `example` event, `check` a file, or watch the `demo`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperArgument, TyperCommand

from tallybook.cli.options import FormatOption, MappingOption
from tallybook.clock import now_ms
from tallybook.demo.defaults import FACTS, MEMBERS, SEED
from tallybook.exit_codes import Exit
from tallybook.folder.defaults import DEFAULT_HORIZON_DAYS, DEFAULT_PARTITIONS
from tallybook.folder.folder import Folder, FolderRefused
from tallybook.screen import counted, note, say, show_json, show_table

if TYPE_CHECKING:  # only `check` reads files
    from tallybook.folder.check_inputs import Checked

MAX_REFUSALS_SHOWN = 20
KEYS_ADVICE = (
    "Of two events of one member with one source and id the first one counts, and what the other says changes nothing; "
    "of two members each has points, and the audit tells of it. If both tell of one purchase, which has grown or was "
    "given back in part since, leave it as it is: a return cannot be taken in yet, and further lines can be sent as an "
    "event with an id of its own. Only if they are two receipts, as where numbers start anew each day or at each till, "
    "make the key of all columns that tell them apart, such as event_id: [store, till, day, number] in the mapping: "
    "one receipt under two keys is paid twice"
)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(init)
    app.command(cls=_ExampleCommand)(example)
    app.command()(check)
    app.command()(demo)


def init(
    folder: Annotated[Path, typer.Argument(help="The folder to make; it may exist.")] = Path(),
    deployment: Annotated[str, typer.Option(help="The programme's name in its books (default: the folder's).")] = "",
    horizon: Annotated[
        int, typer.Option(min=1, max=36_500, help="Facts older than this many days are not scored.")
    ] = DEFAULT_HORIZON_DAYS,
    partitions: Annotated[
        int, typer.Option(min=1, max=1024, help="Parts of the books; fixed for ever.")
    ] = DEFAULT_PARTITIONS,
    programme: Annotated[
        str, typer.Option(help="Rules to begin with: starter, coffee-chain or online-shop.")
    ] = "starter",
) -> None:
    """Make a folder for a programme: empty books, an inbox, and a commented ruleset to edit.

    Example: tallybook init my-shop --horizon 120
    """
    target = Folder(folder)
    name = deployment or folder.resolve().name
    if not name.isprintable() or len(name) > 64:
        raise FolderRefused(f"{name!r} cannot name a deployment: use --deployment with up to 64 printable characters")
    target.create(name, partitions, horizon, now_ms())
    if target.ruleset_files():
        say(f"{folder}: books opened; the rulesets that were there are kept")
    else:
        say(f"{folder}: books opened, rules in {target.copy_ruleset(programme)}")
    say("Next: edit the rules, put events into a file, then: tallybook import events.jsonl")


class _ExampleCommand(TyperCommand):
    """Lists the kinds of events in the command's own help; no other help waits for their import."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from schemas.examples import KINDS

        *others, last = KINDS
        for argument in self.params:
            if isinstance(argument, TyperArgument):
                argument.help = f"{', '.join(others)} or {last}"
        super().format_help(ctx, formatter)


def example(kind: Annotated[str, typer.Argument()]) -> None:
    """Print a valid event, as one line of JSON, to start from.

    Example: tallybook example purchase > first.jsonl
    """
    from schemas.examples import KINDS, example_json

    if kind not in KINDS:
        raise typer.BadParameter(f"{kind!r} is no kind of event; there are: {', '.join(KINDS)}")
    sys.stdout.write(example_json(kind, now_ms()) + "\n")


def check(
    context: typer.Context,
    files: Annotated[list[str], typer.Argument(help="Files to check, or - for standard input.")],
    mapping: MappingOption = None,
    form: FormatOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the refusals as JSON.")] = False,
) -> None:
    """Say of every record what an import would do with it: take it in, refuse it, or find that it came before.

    In a folder with books, it is compared with these too: what came before unchanged, what contradicts it (a conflict),
    and what lies beyond their horizon. Writes nothing.

    Example: tallybook example purchase | tallybook check -
    """
    from tallybook.folder.check_inputs import checked
    from tallybook.folder.inputs import opened_inputs

    with opened_inputs(files, mapping, form) as inputs:
        found = checked(Folder(context.obj), inputs, now_ms())
    if as_json:
        content: dict[str, Any] = {name: getattr(found, name) for name in found.__struct_fields__}
        show_json(content | {"refused": len(found.refusals), "taken": found.taken, "totals": found.totals.as_json()})
    else:
        _show_checked(found)
    if found.refusals or found.contradictions or found.refused_whole:
        raise typer.Exit(Exit.FOUND)


def _show_checked(found: Checked) -> None:
    refusals, contradictions = found.refusals, found.contradictions
    of_records = f"of {counted(found.records, 'record')}"
    if refusals:
        columns = ("input", "line", "reason", "field", "message")
        shown = [{name: row[name] for name in columns} for row in refusals[:MAX_REFUSALS_SHOWN]]
        show_table(f"{len(refusals):,} {of_records} would be refused", shown)
        if len(refusals) > MAX_REFUSALS_SHOWN:
            say(f"… and {len(refusals) - MAX_REFUSALS_SHOWN:,} more (all of them with --json)")
    if contradictions:
        names = {"input": "input", "line": "line", "source": "source", "event_id": "event id", "what": "what"}
        under = found.conflicts + found.other_members + found.other_guests
        title = f"{under:,} {of_records} under the key of an event that came before"
        show_table(title, contradictions[:MAX_REFUSALS_SHOWN], names | {"came_before": "which came before"})
        if found.conflicts or found.other_members:
            say(KEYS_ADVICE)
    if not found.records:
        say("there are no records: nothing would be taken in")
    elif found.refused_whole:
        say(f"none {of_records} would be taken in. {found.refused_whole}")
    elif found.taken == found.records:
        say(f"{'all ' if found.records > 1 else ''}{counted(found.records, 'record')} would be taken in")
    else:
        told = [
            ("came before unchanged", found.again),
            ("in conflict", found.conflicts),
            ("of guests, with other content than before", found.other_guests),
            ("refused", len(refusals)),
        ]
        others = ", ".join(f"{count:,} {what}" for what, count in told if count)
        say(f"{found.taken:,} {of_records} would be taken in as new; the others: {others}")
    for line in found.totals.told(found.timezone):
        say(line)
    for line in (*found.notes, *found.unknown_fields):
        note(line)
    for line in found.warnings:
        say(f"warning: {line}")


def demo(
    folder: Annotated[Path, typer.Option(help="Where to keep the demo's books.")] = Path("tallybook-demo"),
    facts: Annotated[int, typer.Option(min=100, max=5_000_000, help="How many events to make.")] = FACTS,
    members: Annotated[int, typer.Option(min=10, max=1_000_000, help="How many members take part.")] = MEMBERS,
    seed: Annotated[int, typer.Option(help="Another seed, another year.")] = SEED,
) -> None:
    """A year of a coffee chain: generate, journal, score and project it, then look at the results.

    Example: tallybook demo --facts 10000
    """
    from tallybook.demo.run import run_demo

    run_demo(folder, facts=facts, members=members, seed=seed)
