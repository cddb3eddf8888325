"""Puts a ruleset into the journal: once per version, in every partition, and never before what is already scored."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from books.log import LogReader
from processors.decider.local_time import Zone
from processors.decider.partition_state import SEMANTICS
from processors.decider.rules.ruleset import Ruleset
from processors.decider.rules.timeline import in_force
from processors.embedded.rounds import Rounds
from processors.ruleset.parse import RulesetRefused, parse_ruleset, ruleset_hash
from processors.zones import zone_data
from schemas.bounds import EARLIEST_AT
from schemas.facts import RulesetPublished
from schemas.instants import NoInstant, format_instant, parse_instant
from tallybook.folder.folder import Folder, FolderRefused, load_published, read_ruleset, read_ruleset_text

_LOCAL: Final = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?)?", re.ASCII)
_PARTS: Final = re.compile(r"(\d+)")


class PublicationRefused(FolderRefused):
    """The ruleset cannot be published this way; the message says why and what to do."""


class Publications(Protocol):
    """Gives the publications of some books, and writes more."""

    @property
    def publications(self) -> Sequence[RulesetPublished]:
        """What was published, in order."""

    @property
    def last_tick(self) -> int:
        """The last tick in UTC ms; 0 for none."""

    def publish(self, published: RulesetPublished, received_at: int) -> None:
        """Write a publication to all partitions at once."""


def publish_ruleset(
    rounds: Publications, text: str, ruleset: Ruleset, *, effective_from: int | None, now: int
) -> RulesetPublished | None:
    """Write a publication to all partitions; the caller commits, where the books commit in rounds.

    `effective_from` and `now` are UTC ms. By default the first ruleset of books without ticks is valid from 1970-01-01,
    any other from now (or from the last tick, if that is later).

    Returns:
        The publication, or None if this very ruleset is already in force at that instant.

    Raises:
        PublicationRefused: another text was published under this version, another programme lives in these books, or
            `effective_from` lies before the last tick.
    """
    before = rounds.publications
    hashed = ruleset_hash(text)
    _require_new_or_same(before, ruleset, hashed)
    if effective_from is None:
        effective_from = max(now, rounds.last_tick) if before or rounds.last_tick else EARLIEST_AT
    if effective_from < rounds.last_tick:
        last_tick = format_instant(rounds.last_tick)
        raise PublicationRefused(
            f"version {ruleset.version} cannot take effect at {format_instant(effective_from)}: everything up to "
            f"{last_tick} is scored already. Let it take effect then or later (--effective-from {last_tick}), or "
            "import everything into a fresh folder under the new rules. Nothing was changed."
        )
    present = in_force(before, effective_from)
    if present is not None and present.ruleset_hash == hashed:
        return None
    published = publication_of(text, ruleset, effective_from)
    rounds.publish(published, now)
    return published


def publication_of(text: str, ruleset: Ruleset, effective_from: int = EARLIEST_AT) -> RulesetPublished:
    """Make the publication of a ruleset and its text, in force from `effective_from` (UTC ms)."""
    return RulesetPublished(
        version=ruleset.version,
        ruleset_hash=ruleset_hash(text),
        effective_from=effective_from,
        semantics=SEMANTICS,
        text=text,
        timezone=ruleset.timezone,
        tzif=zone_data(ruleset.timezone),
    )


def publications_in(log: LogReader) -> Iterator[tuple[RulesetPublished, int]]:
    """Read every publication, and when it came (UTC ms), in the order of the journal; all partitions hold the same."""
    for _, page in log.read_journal(0):
        for line in page.lines:
            if isinstance(line.fact, RulesetPublished):
                yield line.fact, line.received_at


def ensure_published(rounds: Rounds, folder: Folder, now: int) -> RulesetPublished | None:
    """Publish the folder's newest ruleset if none is published; the caller commits.

    Returns:
        The publication, if there had to be one.

    Raises:
        PublicationRefused: there is no ruleset, or rulesets of several programmes, or a file was edited after its
            version was published.
        RulesetRefused: the ruleset to be published has errors.
    """
    before = rounds.publications
    if before:
        for file in folder.ruleset_files():
            require_unedited(file, before)
        return None
    file = newest_ruleset(folder)
    text, ruleset = read_ruleset(file)
    return publish_ruleset(rounds, text, ruleset, effective_from=None, now=now)


def newest_ruleset(folder: Folder) -> Path:
    """Find the file of the latest version; PublicationRefused where there is none, or several programmes."""
    found = folder.ruleset_files()
    if not found:
        raise PublicationRefused(
            f"{folder.rulesets} holds no ruleset: put one at rulesets/<programme>/<version>.yaml (`tallybook init` in "
            "an empty folder shows one). Nothing was changed."
        )
    if len({file.parent for file in found}) > 1:
        names = ", ".join(str(file.relative_to(folder.root)) for file in found)
        raise PublicationRefused(
            f"there are rulesets of several programmes ({names}), and a folder holds one. Say which with "
            "`tallybook rules publish FILE`. Nothing was changed."
        )
    return max(found, key=lambda file: version_order(file.stem))


def version_order(version: str) -> list[tuple[int, str]]:
    """Give a key that sorts versions as people count them: 2026.9 before 2026.10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in _PARTS.split(version) if part]


def read_effective_from(value: str, timezone: str) -> int:
    """Read what a person typed as `--effective-from`; see `read_local_time`."""
    return read_local_time(value, timezone, "--effective-from")


def read_local_time(value: str, timezone: str, option: str) -> int:
    """Read what a person typed: a local date (its midnight), a local time, or an instant with its offset; in UTC ms.

    Raises:
        PublicationRefused: it is none of these.
    """
    try:
        if not _LOCAL.fullmatch(value):
            return parse_instant(value)
        return Zone(timezone, zone_data(timezone)).instant_of(datetime.fromisoformat(value))
    except (NoInstant, ValueError) as error:
        raise PublicationRefused(
            f"{option} {value!r} is no time: write a date in {timezone} such as 2026-12-01, a local time such "
            "as 2026-12-01T06:00, or an instant such as 2026-12-01T05:00:00Z. Nothing was changed."
        ) from error


def _require_new_or_same(before: Sequence[RulesetPublished], ruleset: Ruleset, hashed: str) -> None:
    for published in before:
        if published.version == ruleset.version and published.ruleset_hash != hashed:
            raise PublicationRefused(_edited(f"version {ruleset.version}", ruleset.version))
    if before:
        programme = load_published(before[-1].text).programme
        if programme != ruleset.programme:
            raise PublicationRefused(
                f"these books are of programme {programme!r}, and this ruleset is of {ruleset.programme!r}: a folder "
                "holds one programme. Use another folder for it (`tallybook init`). Nothing was changed."
            )


def require_unedited(file: Path, before: Sequence[RulesetPublished]) -> None:
    """Raise PublicationRefused where a file claims a version that was published with another text."""
    try:
        text = read_ruleset_text(file)
        if ruleset_hash(text) in {published.ruleset_hash for published in before}:
            return  # before it is parsed, which takes longer than all else here
        ruleset, _ = parse_ruleset(text, str(file))
    except RulesetRefused:
        # A draft may be unfinished; a version that is in force may not.
        if any(published.version == file.stem for published in before):
            raise PublicationRefused(_edited(str(file), file.stem)) from None
        return
    if any(published.version == ruleset.version for published in before):
        raise PublicationRefused(_edited(str(file), ruleset.version))


def _edited(what: str, version: str) -> str:
    return (
        f"{what} is not what was published as version {version}, and a published version never changes. If it is a "
        "draft, give it a new `version:` (or delete the file). If it is the published file, edited, save it under a "
        f"new version first, publish that (`tallybook rules publish FILE`), and then get the old text back with "
        f"`tallybook rules show {version}`. Nothing was changed."
    )
