"""Writes the published facts of any books as JSON lines, and the published rules, for an import into a new folder."""

import heapq
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from books.log import LogReader
from schemas.examples import event_of
from schemas.facts import PublishedFact, ReferralMade, RulesetPublished
from schemas.instants import format_instant
from tallybook.folder.folder import FolderRefused, load_published
from tallybook.rules.timeline import published_in
from tallybook.screen import Tick

PARTIAL: Final = ".part"
BUFFER_BYTES: Final = 1 << 20
STEP: Final = 1_000  # facts between two reports of progress

Place = tuple[int, str, int]


class Exported(msgspec.Struct):
    """Counts the facts that were written, of the first and last instant (UTC ms) at which one happened."""

    facts: int = 0
    first_at: int | None = None
    last_at: int | None = None


def export_facts(log: LogReader, write: Callable[[bytes], object], tick: Tick) -> Exported:
    """Write each published fact once, as one line of JSON, in the order in which an import takes facts.

    That is by instant, at one instant by input and record; a fact that came late stands where it came. What Tallybook
    made itself (derived facts, ticks, openings, publications of rules) is left out: an import makes it anew. Raises
    BooksDamaged.
    """
    done = Exported()
    encode = msgspec.json.Encoder().encode
    partitions = [_published(log, partition) for partition in range(log.partitions)]
    for (at, _, _), fact in heapq.merge(*partitions, key=_place):
        write(encode(event_of(fact)) + b"\n")
        done.facts += 1
        done.first_at = at if done.first_at is None else min(done.first_at, at)
        done.last_at = at if done.last_at is None else max(done.last_at, at)
        if done.facts % STEP == 0:
            tick(STEP)
    tick(done.facts % STEP)
    return done


def export_to_file(log: LogReader, file: Path, tick: Tick) -> Exported:
    """Write the facts to a new file, which appears when it is whole.

    Raises:
        FolderRefused: there is such a file, or none can be made there.
        BooksDamaged: the books cannot be read to their end; no file is left.
    """
    if file.exists():
        raise FolderRefused(f"{file} is there already: name a new file. Nothing was changed.")
    partial = file.with_name(file.name + PARTIAL)
    try:
        with partial.open("wb", buffering=BUFFER_BYTES) as out:
            done = export_facts(log, out.write, tick)
        partial.rename(file)
    finally:
        partial.unlink(missing_ok=True)
    return done


def export_rulesets(log: LogReader, folder: Path) -> list[str]:
    """Write each published version to PROGRAMME/VERSION.yaml in a folder; gives the commands that publish them again.

    Raises:
        FolderRefused: such a file is there with another text.
    """
    commands = []
    for publication in published_in(log):
        fact = publication.fact
        file = folder / load_published(fact.text).programme / f"{fact.version}.yaml"
        _write_text(file, fact)
        since = format_instant(fact.effective_from)
        commands.append(f"tallybook -C NEW rules publish {shlex.quote(str(file))} --effective-from {since}")
    return commands


def _write_text(file: Path, published: RulesetPublished) -> None:
    text = published.text.encode()
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text)
    elif file.read_bytes() != text:
        raise FolderRefused(f"{file} is there already with another text: name another folder for the rules.")


def _published(log: LogReader, partition: int) -> Iterator[tuple[Place, PublishedFact]]:
    """Read the published facts of a partition; a referral, which stands in both parties' accounts, in the referee's."""
    for _, page in log.read_journal(partition):
        for line in page.lines:
            fact = line.fact
            if isinstance(fact, PublishedFact) and not (
                isinstance(fact, ReferralMade) and line.member_id != fact.referee_id
            ):
                yield (fact.occurred_at, page.inputs[line.input], line.record), fact


def _place(placed: tuple[Place, PublishedFact]) -> Place:
    return placed[0]
