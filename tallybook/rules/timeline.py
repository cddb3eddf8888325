"""The rule timeline of a folder's journal: what was published, and a new version put behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.bounds import DAY_MS
from schemas.facts import RulesetPublished
from schemas.instants import format_instant
from tallybook.folder.folder import Folder, load_published, read_ruleset
from tallybook.folder.publish_rules import publish_ruleset, read_effective_from
from tallybook.folder.session import writing_session

FAR_YEARS: Final = 10
FAR_MS: Final = FAR_YEARS * 366 * DAY_MS


class Publication(msgspec.Struct, frozen=True):
    """A ruleset in the journal; instants in UTC ms, `effective_at` is when its `effective_from` begins."""

    version: str
    ruleset_hash: str
    effective_at: int
    semantics: int
    timezone: str
    published_at: int
    text: str

    def row(self) -> dict[str, Any]:
        """The publication without its text; instants as RFC 3339."""
        return {
            "version": self.version,
            "effective_from": format_instant(self.effective_at),
            "ruleset_hash": self.ruleset_hash,
            "semantics": self.semantics,
            "timezone": self.timezone,
            "published_at": format_instant(self.published_at),
        }


def timeline_of(folder: Folder) -> list[Publication]:
    """Every publication in the order of the journal; all partitions hold the same ones.

    Raises:
        BooksError: the folder has no books, or damaged ones.
    """
    with folder.reading() as log:
        return [
            _publication(line.fact, line.received_at)
            for _, page in log.read_journal(0)
            for line in page.lines
            if isinstance(line.fact, RulesetPublished)
        ]


def odd_in(folder: Folder, published: Publication) -> list[str]:
    """What is allowed and hardly meant in a publication that was just made; instants in UTC ms."""
    warnings = []
    if published.effective_at - published.published_at > FAR_MS:
        begins = format_instant(published.effective_at)
        warnings.append(f"it takes effect at {begins}, more than {FAR_YEARS} years ahead: until then nothing changes")
    others = [one for one in timeline_of(folder) if one.version != published.version]
    currency = load_published(published.text).currency
    if others and (before := load_published(others[-1].text).currency) != currency:
        warnings.append(
            f"its currency is {currency}, and that of version {others[-1].version} is {before}: purchases in {before} "
            "earn nothing under it"
        )
    return warnings


def publish_file(folder: Folder, file: Path, effective_from: str, now: int) -> Publication | None:
    """Publish a checked ruleset file; `effective_from` is what a person typed, or empty. None: nothing to publish.

    Raises:
        PublicationRefused: the version, the programme or the instant cannot be (see publish_ruleset).
        RulesetRefused: the file is no ruleset.
        FolderHeld, BooksError: the books cannot be written.
    """
    text, ruleset = read_ruleset(file)
    at = read_effective_from(effective_from, ruleset.timezone) if effective_from else None
    if folder.is_stream:
        from tallybook.stream.publish_rules import (
            stream_publications,  # an installation for files alone has no Kafka client
        )

        with stream_publications(folder) as publications:
            published = publish_ruleset(publications, text, ruleset, effective_from=at, now=now)
        return None if published is None else _publication(published, now)
    with writing_session(folder, now) as session:
        published = publish_ruleset(session.rounds, text, ruleset, effective_from=at, now=now)
        if published is None:
            return None
        session.rounds.commit([])
    return _publication(published, now)


def _publication(fact: RulesetPublished, published_at: int) -> Publication:
    return Publication(
        version=fact.version,
        ruleset_hash=fact.ruleset_hash,
        effective_at=fact.effective_from,
        semantics=fact.semantics,
        timezone=fact.timezone,
        published_at=published_at,
        text=fact.text,
    )
