"""Publishes a ruleset file, in the books of a folder or of its stream, and warns of what is probably a mistake."""

from pathlib import Path
from typing import Final

from schemas.bounds import DAY_MS
from schemas.instants import format_instant
from tallybook.folder.folder import Folder, load_published, read_ruleset
from tallybook.folder.publish_rules import publish_ruleset, read_effective_from
from tallybook.folder.session import writing_session
from tallybook.rules.timeline import Publication, timeline_of

FAR_YEARS: Final = 10
FAR_MS: Final = FAR_YEARS * 366 * DAY_MS


def publication_warnings(folder: Folder, publication: Publication) -> list[str]:
    """List what is allowed, but probably a mistake, in a publication that was just made."""
    fact, warnings = publication.fact, []
    if fact.effective_from - publication.published_at > FAR_MS:
        begins = format_instant(fact.effective_from)
        warnings.append(f"it takes effect at {begins}, more than {FAR_YEARS} years ahead: until then nothing changes")
    others = [one.fact for one in timeline_of(folder) if one.fact.version != fact.version]
    currency = load_published(fact.text).currency
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
        return None if published is None else Publication(published, now)
    with writing_session(folder, now) as session:
        published = publish_ruleset(session.rounds, text, ruleset, effective_from=at, now=now)
        if published is None:
            return None
        session.rounds.commit([])
    return Publication(published, now)
