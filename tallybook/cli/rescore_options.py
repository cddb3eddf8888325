"""The options of `rescore run`, and how what is asked to be tried, and for whom, is read from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tallybook.cli.options import per_million

if TYPE_CHECKING:  # slow to load, and the help of a command needs neither
    from processors.replay.rescore.two_worlds import Selection
    from tallybook.rescore.plan import Asked

MAX_PROCESSES: Final = 64

RulesTried = Annotated[Path | None, typer.Option("--rules", help="The ruleset file to try.")]
FromWhen = Annotated[str, typer.Option("--from", help="From when it holds: a local date or time, or an instant.")]
UntilWhen = Annotated[str, typer.Option("--until", help="Until when; `never` replaces what was published for later.")]
Drafts = Annotated[
    list[str] | None, typer.Option("--draft", help="NAME=FILE: another ruleset to try in the same pass; up to 8.")
]
Timeline = Annotated[
    Path | None, typer.Option("--timeline", help="A YAML file that lists `rules`, `from` and `until` of each span.")
]
Members = Annotated[
    str, typer.Option("--members", help="Only these: ids with commas between, or @FILE with one a line.")
]
Sampled = Annotated[str, typer.Option("--sample", help="Only about so many members, such as 5%.")]
Processes = Annotated[
    int | None, typer.Option("--processes", min=1, max=MAX_PROCESSES, help="How many decide (default: one per core).")
]
Semantics = Annotated[
    int | None, typer.Option("--semantics", help="Another behaviour of the decider (default: as published).")
]


def asked_drafts(
    rules: Path | None, from_: str, until: str, drafts: Sequence[str], timeline: Path | None
) -> list[tuple[str, list[Asked]]]:
    """Read which drafts are asked for, each with its spans. Raises BadParameter."""
    from tallybook.rescore.plan import Asked, read_timeline

    if timeline is not None:
        if rules is not None or from_ or until or drafts:
            raise typer.BadParameter("--timeline says all: give it without --rules, --draft, --from and --until")
        return [(timeline.stem, read_timeline(timeline))]
    if not from_:
        raise typer.BadParameter("say from when the rules hold: --from 2026-07-01")
    named = [] if rules is None else [(rules.stem, rules)]
    for each in drafts:
        name, equals, file = each.partition("=")
        if not equals or not name or not file:
            raise typer.BadParameter(f"--draft {each!r}: write NAME=FILE")
        named.append((name, Path(file)))
    if not named:
        raise typer.BadParameter("name the rules to try: --rules FILE, or --draft NAME=FILE")
    if len({name for name, _ in named}) < len(named):
        raise typer.BadParameter("two drafts have one name")
    return [(name, [Asked(file, from_, until)]) for name, file in named]


def asked_members(members: str, sample: str) -> Selection:
    """Read which members are asked for. Raises BadParameter."""
    from processors.replay.rescore.two_worlds import Selection

    if members and sample:
        raise typer.BadParameter("give --members or --sample, not both")
    if sample:
        return Selection(per_million=per_million(sample))
    if not members:
        return Selection()
    if members.startswith("@"):
        try:
            listed = Path(members[1:]).read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise typer.BadParameter(f"--members {members}: {error}") from error
    else:
        listed = members.split(",")
    named = frozenset(member.strip() for member in listed if member.strip())
    if not named:
        raise typer.BadParameter(f"--members {members!r} names nobody")
    return Selection(members=named)
