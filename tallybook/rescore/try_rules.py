"""Tries a ruleset that is being written: its errors and examples, and what it changes in the last days of some members.

Nothing is kept, and the books are only read. The history of the sample is read once; each text that is tried then
costs no more than deciding it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from books.log import LogReader
from processors.decider.local_time import LocalMoment, Zone
from processors.decider.rules.ruleset import Ruleset
from processors.replay.rescore.partition_run import Cut, Kept, rescore_lines
from processors.replay.rescore.two_worlds import MILLION, Selection
from processors.ruleset.parse import RulesetRefused, decode_ruleset
from schemas.facts import ClockTicked, JournalOpened, RulesetPublished
from schemas.pages import Folio, JournalLine
from schemas.posting import EditionOpened
from tallybook.folder.folder import Folder, load_published
from tallybook.open_books import open_books
from tallybook.rescore.cuts import make_cuts
from tallybook.rescore.plan import LayerMaker, RescoreRefused
from tallybook.rescore.summary import Adding, Summary
from tallybook.rules.check import Finding, RulesetChecked, check_text, refused_ruleset
from tallybook.screen import progress

# So many postings are read and decided by default: seconds, on a small machine.
POSTINGS_READ: Final = 150_000
POSTINGS_DECIDED: Final = 30_000
MAX_LINES_KEPT: Final = 500_000
MOST_NAMED: Final = 5
_BOOK_FACTS: Final = (ClockTicked, RulesetPublished, JournalOpened)
NO_BOOKS: Final = "this folder has no books: errors and examples are all that can be told"
NOTHING_SCORED: Final = "these books have no rules or no tick yet: errors and examples are all that can be told"


class Sample(msgspec.Struct, frozen=True):
    """The lines of some members in some partitions, up to their cuts, and what all the books say of rules and time.

    `share` is about the part of all members that it holds, of a million; `until` is the last tick (UTC ms).
    """

    opened: JournalOpened
    edition: EditionOpened
    maker: LayerMaker
    until: int
    selection: Selection
    share: int
    partitions: tuple[tuple[Cut, tuple[tuple[Folio, JournalLine], ...]], ...]


class Tried(msgspec.Struct):
    """What one text came to. `found` is None where nothing was compared; `note` says why, if no error does.

    `from_at` (UTC ms) is when the tried rules begin, and `from_day` the same as a local date.
    """

    checked: RulesetChecked
    note: str = ""
    from_at: int = 0
    from_day: str = ""
    share: int = MILLION
    found: Summary | None = None

    @property
    def changes_anything(self) -> bool:
        """Whether any member or line of the sample differs."""
        return self.found is not None and self.found.changes_anything

    def as_json(self) -> dict[str, Any]:
        """The same as plain data."""
        changes: dict[str, Any] | None = None
        if self.found is not None:
            changes = {"from_at": self.from_at, "from_day": self.from_day, "share": self.share / MILLION}
            changes |= msgspec.to_builtins(self.found)
        return self.checked.as_json() | {"note": self.note, "changes": changes}


def tries(
    folder: Folder, file: Path, contents: Iterator[bytes], per_million: int, days: int, point_value: str
) -> Iterator[Tried]:
    """Try each content of a file as it comes; the sample is read once, after the first one is there.

    Raises: as `read_sample` and `try_content` do.
    """
    content = next(contents)
    with progress("reading the sample", None) as tick:
        sample = read_sample(folder, per_million, tick)
    yield try_content(file, content, sample, days, point_value)
    for content in contents:
        yield try_content(file, content, sample, days, point_value)


def read_sample(folder: Folder, per_million: int, on_lines: Callable[[int], object] = lambda _: None) -> Sample | str:
    """Read the history of a sample of members, or say why there is none; `per_million` 0 takes as many as are quick.

    Raises:
        RescoreRefused: the sample is too large to be kept in memory.
        BooksError: the books cannot be read.
    """
    if not folder.is_stream and not folder.books.exists():
        return NO_BOOKS
    with open_books(folder) as log:
        base = log.current_edition()
        cuts, last_tick = make_cuts(log, base)
        chosen, selection, share = drawn(cuts, per_million)
        partitions, kept = [], 0
        for cut in chosen:
            lines = _lines_of(log, cut, selection, MAX_LINES_KEPT - kept, on_lines)
            kept += len(lines)
            partitions.append((cut, lines))
        published = [line.fact for _, line in partitions[0][1] if isinstance(line.fact, RulesetPublished)]
        if not published or not last_tick:
            return NOTHING_SCORED
        edition = log.edition(base)
        maker = LayerMaker(published, edition.layers, last_tick, None)
        return Sample(log.opened(), edition, maker, last_tick, selection, share, tuple(partitions))


def drawn(cuts: Sequence[Cut], per_million: int) -> tuple[list[Cut], Selection, int]:
    """Which partitions are read, which of their members are taken, and the share of all members that these are."""
    if per_million:
        return list(cuts), Selection(per_million=per_million), per_million
    total = sum(cut.postings for cut in cuts)
    chosen: list[Cut] = []
    read = 0
    for cut in cuts:
        # Members are spread over partitions by a hash, so that those of a few partitions are a sample, too.
        if not read or read + cut.postings <= POSTINGS_READ:
            chosen.append(cut)
            read += cut.postings
    taken = MILLION if read <= POSTINGS_DECIDED else POSTINGS_DECIDED * MILLION // read
    return chosen, Selection(per_million=taken), taken * read // total if total else MILLION


def _lines_of(
    log: LogReader, cut: Cut, selection: Selection, most: int, on_lines: Callable[[int], object]
) -> tuple[tuple[Folio, JournalLine], ...]:
    kept: list[tuple[Folio, JournalLine]] = []
    is_everybody = selection.is_everybody
    for _, page in log.read_journal(cut.partition):
        if page.page > cut.page:
            break
        for number, line in enumerate(page.lines):
            member_id = line.member_id
            is_taken = member_id is not None and (is_everybody or selection.takes(member_id))
            if is_taken or isinstance(line.fact, _BOOK_FACTS):
                kept.append((Folio(page.page, number), line))
        if len(kept) > most:
            raise RescoreRefused(
                f"this sample has more than {MAX_LINES_KEPT:,} facts, which are kept in memory: take a smaller "
                "--sample, or all members by `tallybook rescore run`. Nothing was changed."
            )
        on_lines(len(page.lines))
    return tuple(kept)


def try_content(file: Path, content: bytes, sample: Sample | str, days: int, point_value: str = "") -> Tried:
    """Check what a ruleset file holds, and compare its rules with those of the books over the last days.

    Raises:
        BaseDiffers: the ledger is not what its rules make of the journal.
    """
    try:
        text = decode_ruleset(content, str(file))
    except RulesetRefused as refused:
        return Tried(refused_ruleset(file, refused))
    checked, ruleset = check_text(file, text)
    if ruleset is None:
        return Tried(checked)
    if isinstance(sample, str):
        return Tried(checked, note=sample)
    try:
        sample.maker.require_programme(file, ruleset)
    except RescoreRefused as refused:
        checked.findings.append(Finding("error", 1, "programme", str(refused).removesuffix(" Nothing was changed.")))
        return Tried(checked)
    if sample.maker.is_published_otherwise(text, ruleset):
        said = (
            f"version {ruleset.version} is published with another text: this one needs a `version:` of its own before "
            "it is published"
        )
        checked.findings.append(Finding("warning", 1, "version", said))
    return _compare(Tried(checked, share=sample.share), sample, text, ruleset, days, point_value)


def _compare(tried: Tried, sample: Sample, text: str, ruleset: Ruleset, days: int, point_value: str) -> Tried:
    zone = Zone(ruleset.timezone, sample.maker.tzif(ruleset.timezone))
    tried.from_at = zone.midnight(LocalMoment(zone, sample.until).day - days)
    tried.from_day = zone.local(tried.from_at).date().isoformat()
    layers = sample.maker.over_all((sample.maker.span(text, ruleset, tried.from_at),))
    adding = Adding(MOST_NAMED)
    found = Summary("", ruleset.version, as_of=sample.until, accounts=0, is_proven=True, point_value=point_value)
    kept = [Kept(layers, adding.line, adding.member)]
    for cut, lines in sample.partitions:
        done = rescore_lines(
            lines, sample.opened, sample.edition, cut, kept, load=load_published, selection=sample.selection
        )
        found.is_proven &= done.is_proven
        found.accounts += done.accounts
        found.balance_before += done.balance
    tried.found = adding.into(found)
    return tried
