"""Commands for Kafka beside the stages (topics, contracts in a registry, a publisher), and for whole books."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schemas.bounds import DAY_MS
from tallybook.cli.options import AsJson, FormatOption, MappingOption
from tallybook.clock import now_ms
from tallybook.exit_codes import Exit
from tallybook.folder.defaults import DEFAULT_HORIZON_DAYS, DEFAULT_STREAM_PARTITIONS, REFERRAL_WINDOW_DAYS
from tallybook.folder.folder import (
    STREAM_FILE,
    Folder,
    FolderRefused,
    shipped_programme,
)
from tallybook.screen import counted, note, progress, say, show_json, show_table

if TYPE_CHECKING:  # the Kafka client is slow to load, and is not there in an installation for files alone
    from tallybook.stream.open import Stream
    from tallybook.stream.settings import StreamSettings

Bootstrap = Annotated[str, typer.Option(help="Kafka's brokers, such as kafka:9092 (default: as stream.toml says).")]
Deployment = Annotated[str, typer.Option(help="The name that all topics begin with (default: as stream.toml says).")]

topics_app = typer.Typer(no_args_is_help=True, help="The deployment's topics on Kafka: create and check them.")
schemas_app = typer.Typer(no_args_is_help=True, help="The contracts of facts: put them into a schema registry.")
books_app = typer.Typer(no_args_is_help=True, help="Whole books: export their facts; copy those on Kafka.")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    panel = "On Kafka"
    app.add_typer(topics_app, name="topics", rich_help_panel=panel)
    app.add_typer(schemas_app, name="schemas", rich_help_panel=panel)
    app.add_typer(books_app, name="books")
    app.command(rich_help_panel=panel)(publish)


@topics_app.command()
def create(
    context: typer.Context,
    bootstrap: Bootstrap = "",
    deployment: Deployment = "",
    partitions: Annotated[
        int | None,
        typer.Option(min=1, max=1024, help="Partitions of journal and ledger; fixed for ever.", show_default="24"),
    ] = None,
    fact_partitions: Annotated[int, typer.Option(min=1, max=1024, help="Partitions of each topic of facts.")] = 8,
    replication: Annotated[
        int, typer.Option(min=0, max=9, help="Copies of each partition (0: 3 where there are 3 brokers, else 1).")
    ] = 0,
    horizon: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=36_500,
            help="Facts older than this many days are not scored; fixed for ever.",
            show_default=str(DEFAULT_HORIZON_DAYS),
        ),
    ] = None,
    programme: Annotated[
        str, typer.Option(help="Rules to begin with, where the folder has none: starter, coffee-chain, online-shop.")
    ] = "starter",
) -> None:
    """Create all topics that are missing, open the books, and write stream.toml if there is none.

    Repeating it does no harm.

    Example: tallybook topics create --bootstrap localhost:9092 --deployment my-shop
    """
    from books.kafka.create import create_topics
    from tallybook.stream.open import stream_of
    from tallybook.stream.settings import write_settings

    root: Path = context.obj
    folder = Folder(root)
    has_rules = bool(folder.ruleset_files())
    if not has_rules:
        shipped_programme(programme)
    stream = stream_of(root, _settings(root, bootstrap, deployment))
    partitions, horizon = _as_opened(stream, partitions, horizon)
    for name in create_topics(stream.cluster, stream.topics.table(partitions, fact_partitions), replication or None):
        say(f"{name} created")
    _open_books(stream, partitions, horizon)
    if not (root / STREAM_FILE).exists():
        say(f"{write_settings(root, stream.settings)} written")
    if not has_rules:
        say(f"rules to edit: {folder.copy_ruleset(programme)}; then: tallybook rules publish FILE")


def _settings(root: Path, bootstrap: str, deployment: str) -> StreamSettings:
    """Read the settings of the folder, or, where it has none yet, take the options."""
    from tallybook.stream.settings import StreamRefused, load_settings

    settings = load_settings(root, bootstrap=bootstrap, deployment=deployment)
    file = root / STREAM_FILE
    if file.exists():
        kept = load_settings(root)
        for name in ("bootstrap", "deployment"):
            here, asked = getattr(kept, name), getattr(settings, name)
            if here != asked:
                raise StreamRefused(
                    f"{file} says {name} = {here!r}, and --{name} {asked!r}. Leave out --{name}, change the file, or "
                    "use another folder. Nothing was changed."
                )
    return settings


def _as_opened(stream: Stream, partitions: int | None, horizon_days: int | None) -> tuple[int, int]:
    """Choose partitions and horizon: as asked for, else as the books were opened, else the defaults."""
    from books.kafka.errors import TopicsMissing

    if partitions and horizon_days:
        return partitions, horizon_days
    present = stream.cluster.partitions([stream.topics.journal]).get(stream.topics.journal, DEFAULT_STREAM_PARTITIONS)
    opened_days = DEFAULT_HORIZON_DAYS
    with suppress(TopicsMissing):  # they are still to be made
        opened_days = stream.log().opened().horizon_ms // DAY_MS
    return partitions or present, horizon_days or opened_days


def _open_books(stream: Stream, partitions: int, horizon_days: int) -> None:
    from books.kafka.create import open_stream
    from schemas.facts import BOOKS_VERSION, JournalOpened

    name, windows = stream.settings.deployment, (horizon_days * DAY_MS, REFERRAL_WINDOW_DAYS * DAY_MS)
    opened = JournalOpened(name, 1, partitions, 0, *windows, now_ms(), BOOKS_VERSION)
    if open_stream(stream.cluster, stream.topics, opened):
        say(f"books opened: {counted(partitions, 'partition')}, a horizon of {counted(horizon_days, 'day')}")
    else:
        say("the books are open already")


@topics_app.command()
def check(context: typer.Context, as_json: AsJson = False) -> None:
    """Say how the topics differ from what they should be; ends with 4 if a difference is dangerous.

    Example: tallybook topics check
    """
    from books.kafka.create import check_topics
    from tallybook.stream.open import open_stream

    stream = open_stream(context.obj)
    opened = stream.log().opened()
    drifts = check_topics(stream.cluster, stream.topics.table(opened.partitions))
    rows = [{"topic": one.topic, "what": one.what, "dangerous": one.is_dangerous} for one in drifts]
    if as_json:
        show_json(rows)
    elif rows:
        show_table("Topics that are not as they should be", rows)
    else:
        say("all topics are as they should be")
    if any(one.is_dangerous for one in drifts):
        raise typer.Exit(Exit.FOUND)


@schemas_app.command("register")
def register_schemas(
    context: typer.Context,
    registry: Annotated[str, typer.Option(help="The registry's URL (default: as stream.toml says).")] = "",
    as_json: AsJson = False,
) -> None:
    """Put the contract of each topic of facts into the schema registry, with BACKWARD compatibility.

    Repeating it does no harm. Ends with 4 if the registry refuses one.

    Example: tallybook schemas register --registry http://localhost:8081
    """
    from processors.stream.message_door import RegistryUnreachable
    from processors.stream.registry import register_contracts
    from tallybook.stream.open import open_stream

    stream = open_stream(context.obj)
    url = registry or stream.settings.registry
    if not url:
        raise FolderRefused("There is no registry: set `registry` in stream.toml, TALLYBOOK_REGISTRY, or --registry.")
    try:
        found = register_contracts(url, stream.topics.facts)
    except RegistryUnreachable as error:
        raise FolderRefused(f"{error}. Run the same command again when it does: what was registered stays.") from error
    except ValueError as error:
        raise FolderRefused(f"{url}: {error}. Nothing was changed.") from error
    rows = [
        {"subject": one.subject, "contract": one.fact_type, "schema id": one.schema_id, "refused": one.refused}
        for one in found
    ]
    if as_json:
        show_json(rows)
    else:
        show_table("Contracts in the registry", rows)
    if any(one.refused for one in found):
        raise typer.Exit(Exit.FOUND)


def publish(
    context: typer.Context,
    files: Annotated[list[str], typer.Argument(help="Files of events, or - for standard input.")],
    mapping: MappingOption = None,
    form: FormatOption = None,
    avro: Annotated[bool, typer.Option("--avro", help="Send Avro single-object messages instead of JSON.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send files of events to the deployment's topics, each event to that of its kind. Ends with 4 if some are wrong.

    Sending a file twice does no harm: an event that was there before has no second effect.

    Example: tallybook publish events.jsonl
    """
    from tallybook.stream.open import open_stream
    from tallybook.stream.publish_facts import publish_files

    done = publish_files(open_stream(context.obj), files, mapping, form, as_avro=avro)
    if as_json:
        show_json({"published": done.facts, "refused": done.refused, "first_refusals": done.shown})
    else:
        say(f"{done.facts:,} events published")
        for line in done.shown:
            note(line)
        if done.refused:
            say(f"{done.refused:,} were not, because the intake would refuse them: mend them and publish them again")
    if done.refused:
        raise typer.Exit(Exit.FOUND)


@books_app.command()
def export(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="The file to write, or - for standard output.")] = "-",
    rulesets: Annotated[
        Path | None, typer.Option(help="A folder for the published rules, as PROGRAMME/VERSION.yaml.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the facts of the books as JSON lines, in order of time: what was published, not what was made of it.

    A new folder under the same rules, with as many partitions and the same horizon, takes them in one import, and has
    the same ledger digest if these books were filled by one import.

    Example: tallybook books export facts.jsonl --rulesets rules

    Example: tallybook books export | gzip > facts.jsonl.gz
    """
    from tallybook.export_facts import export_facts, export_rulesets, export_to_file
    from tallybook.open_books import open_books

    to_standard_output = file == "-"
    if to_standard_output and as_json:
        raise typer.BadParameter("--json tells of a file: name one, as standard output has the facts")
    with open_books(Folder(context.obj)) as log:
        opened = log.opened()
        rules = [] if rulesets is None else export_rulesets(log, rulesets)
        with progress("exporting facts", None) as tick:
            if to_standard_output:
                done = export_facts(log, sys.stdout.buffer.write, tick)
                sys.stdout.buffer.flush()
            else:
                done = export_to_file(log, Path(file), tick)
    days = opened.horizon_ms // DAY_MS
    if as_json:
        show_json({"facts": done.facts, "partitions": opened.partitions, "horizon_days": days, "rulesets": rules})
        return
    tell = note if to_standard_output else say
    tell(f"{counted(done.facts, 'fact')} exported")
    tell(f"Next: tallybook init NEW --partitions {opened.partitions} --horizon {days}")
    if rules:
        tell(f"put the rules of {rulesets} in place of those in NEW/rulesets, then:")
    for command in rules:
        tell(f"  {command}")
    if not to_standard_output:
        tell(f"  tallybook -C NEW import {file}")


@books_app.command()
def copy(
    context: typer.Context,
    to: Annotated[Path, typer.Argument(help="The folder to make.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Copy a stream's books into files, pages and offsets kept: to be verified and explained on any machine.

    Example: tallybook books copy my-copy && tallybook -C my-copy verify
    """
    import msgspec

    from books.copy import copy_books
    from tallybook.stream.open import open_stream

    stream = open_stream(context.obj)
    with progress("copying records", None) as tick:
        log = stream.log()
        done = copy_books(log, log.current_edition(), to, tick)
    if as_json:
        show_json(msgspec.to_builtins(done))
    else:
        say(
            f"{counted(done.lines, 'line')} on {counted(done.pages, 'page')}, {counted(done.postings, 'posting')}, "
            f"{counted(done.rejects, 'reject')} copied"
        )
        if done.unscored:
            say(f"{done.unscored:,} of the lines are not scored yet")
        say(f"Next: tallybook -C {to} verify")
