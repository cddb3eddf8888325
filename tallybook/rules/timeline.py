"""Reads from the journal which rulesets were published, and which files were edited after that."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from books.log import LogReader
from processors.ruleset.yaml_text import read_yaml
from schemas.facts import RulesetPublished
from schemas.instants import format_instant
from tallybook.folder.folder import Folder
from tallybook.folder.publish_rules import PublicationRefused, publications_in, require_unedited
from tallybook.open_books import open_books


class Publication(NamedTuple):
    """A ruleset in the journal, and the instant (UTC ms) at which it was published."""

    fact: RulesetPublished
    published_at: int

    def row(self) -> dict[str, Any]:
        """Give the publication without its text; instants as RFC 3339."""
        return {
            "version": self.fact.version,
            "effective_from": format_instant(self.fact.effective_from),
            "ruleset_hash": self.fact.ruleset_hash,
            "semantics": self.fact.semantics,
            "timezone": self.fact.timezone,
            "published_at": format_instant(self.published_at),
            "title": self.title,
        }

    @property
    def title(self) -> str:
        """What people call the programme; empty where the ruleset has no title."""
        return str(read_yaml(self.fact.text).data.get("title", ""))


def timeline_of(folder: Folder) -> list[Publication]:
    """Read every publication of a folder, or of its stream. Raises BooksError where there are no sound books."""
    with open_books(folder) as log:
        return list(published_in(log))


def published_in(log: LogReader) -> Iterator[Publication]:
    """Read every publication in the order of the journal; all partitions hold the same ones."""
    for fact, received_at in publications_in(log):
        yield Publication(fact, received_at)


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
