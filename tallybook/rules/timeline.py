"""Reads from the journal which rulesets were published, and which files were edited after that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from books.log import LogReader
from schemas.facts import RulesetPublished
from schemas.instants import format_instant
from tallybook.folder.folder import Folder
from tallybook.folder.publish_rules import PublicationRefused, require_unedited
from tallybook.open_books import open_books


class Publication(msgspec.Struct, frozen=True):
    """Describes a ruleset in the journal; instants in UTC ms, `effective_at` is when its `effective_from` begins."""

    version: str
    ruleset_hash: str
    effective_at: int
    semantics: int
    timezone: str
    published_at: int
    text: str

    def row(self) -> dict[str, Any]:
        """Give the publication without its text; instants as RFC 3339."""
        return {
            "version": self.version,
            "effective_from": format_instant(self.effective_at),
            "ruleset_hash": self.ruleset_hash,
            "semantics": self.semantics,
            "timezone": self.timezone,
            "published_at": format_instant(self.published_at),
        }


def timeline_of(folder: Folder) -> list[Publication]:
    """Read every publication in the order of the journal; all partitions hold the same ones.

    Raises:
        BooksError: the folder has no books, or damaged ones.
    """
    with open_books(folder) as log:
        return [publication(fact, received_at) for fact, received_at in published_in(log)]


def published_in(log: LogReader) -> Iterator[tuple[RulesetPublished, int]]:
    """Read every publication in the order of the journal, with the instant (UTC ms) at which it was received."""
    for _, page in log.read_journal(0):
        for line in page.lines:
            if isinstance(line.fact, RulesetPublished):
                yield line.fact, line.received_at


def edited_files(folder: Folder) -> dict[Path, str]:
    """Find the ruleset files that claim a published version and have another text, each with what to do.

    Raises:
        BooksError: the books are damaged; where there are none, nothing is published.
    """
    if not folder.books.exists():
        return {}
    with open_books(folder) as log:
        before = [fact for fact, _ in published_in(log)]
    found = {}
    for file in folder.ruleset_files():
        try:
            require_unedited(file, before)
        except PublicationRefused as refused:
            found[file] = str(refused).removesuffix(" Nothing was changed.")
    return found


def publication(fact: RulesetPublished, published_at: int) -> Publication:
    """Turn a fact of the journal into a publication."""
    return Publication(
        version=fact.version,
        ruleset_hash=fact.ruleset_hash,
        effective_at=fact.effective_from,
        semantics=fact.semantics,
        timezone=fact.timezone,
        published_at=published_at,
        text=fact.text,
    )
