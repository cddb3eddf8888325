"""Walks journal and ledger side by side: each journal line with the postings that the ledger recorded for it.

Recovery, `verify` and `explain` (and a re-scoring) all walk this way, so that there is one place that knows which
posting belongs to which line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from typing import Final

import msgspec

from books.errors import BooksDamaged
from books.log import LogReader
from schemas.facts import ClockTicked
from schemas.pages import Folio, JournalLine, JournalPage
from schemas.posting import Posting


class WalkedLine(msgspec.Struct, frozen=True, gc=False):
    """One journal line and its postings: one for a member's fact, none for a guest's or a book fact, any for a tick.

    `scored` is False from the first line on that the ledger does not vouch for: a member's fact without its posting,
    or the tick at the ledger's end, of whose postings some (those given) may be recorded and others not yet.
    """

    folio: Folio
    line: JournalLine
    postings: Sequence[Posting]
    scored: bool


class BookPlace(msgspec.Struct, frozen=True):
    """Where a walk stands, between two lines: what a snapshot keeps, so that a later walk goes on from there.

    `folio` is the last line done (None: nothing yet) and `journal` a position at or before its page; `number` is the
    last posting's number (0: none yet) and `ledger` a position at or before its batch.
    """

    journal: int = 0
    ledger: int = 0
    folio: Folio | None = None
    number: int = 0


BEGINNING: Final = BookPlace()
_NONE: Final[tuple[Posting, ...]] = ()
_RESTORE: Final = "Journal and ledger do not belong together: restore both from one backup, or import afresh."


def walk(log: LogReader, edition: str, partition: int, start: BookPlace = BEGINNING, *, complete: bool = False) -> Walk:
    """Walk one partition of the journal beside one edition of the ledger, as far as this covers it; see Walk."""
    scored = log.scored_page(edition, partition)
    pages = log.read_journal(partition, start.journal)
    return Walk(
        pages if scored is None else takewhile(lambda item: item[1].page <= scored, pages),
        log.read_ledger(edition, partition, start.ledger),
        start,
        complete=complete,
        journal_name=f"journal/{partition:02d}",
        ledger_name=f"ledger.{edition}/{partition:02d}",
        gaps=scored is not None,
    )


def unscored(log: LogReader, edition: str, partition: int, start: int = 0) -> Iterator[JournalPage]:
    """The pages from a position on that the ledger does not cover yet: none but in a stream."""
    scored = log.scored_page(edition, partition)
    if scored is not None:
        for _, page in log.read_journal(partition, start):
            if page.page > scored:
                yield page


class Walk:
    """An iterable, for one pass, over the lines of one partition; `place()` tells where it stands.

    With `complete` the ledger must hold a posting for every line of a member, as in books that commit whole rounds;
    without it the journal may be ahead (a worker died between its commits), and the lines there are not `scored`.
    With `gaps` pages may be numbered with gaps, as by the offsets of a stream.
    Raises BooksDamaged for a posting without a line, out of order, of another member or with a wrong number.
    """

    def __init__(
        self,
        pages: Iterable[tuple[int, JournalPage]],
        batches: Iterable[tuple[int, Sequence[Posting]]],
        start: BookPlace = BEGINNING,
        *,
        complete: bool = False,
        journal_name: str = "journal",
        ledger_name: str = "ledger",
        gaps: bool = False,
    ) -> None:
        self._pages = pages
        self._batches = batches
        self._start = start
        self._complete = complete
        self._gaps = gaps
        self._journal_name = journal_name
        self._ledger_name = ledger_name
        self._page_at = start.journal
        self._batch_at = start.ledger
        self._folio = start.folio
        self._number = start.number

    def place(self) -> BookPlace:
        """Where the walk stands: after the last line that it gave out, which must be a `scored` one."""
        return BookPlace(self._page_at, self._batch_at, self._folio, self._number)

    def __iter__(self) -> Iterator[WalkedLine]:
        postings = self._numbered_postings()
        ahead = next(postings, None)
        scored = True
        for page, first in self._numbered_pages():
            number, lines = page.page, page.lines
            for at in range(first, len(lines)):
                line = lines[at]
                mine: Sequence[Posting] = _NONE
                if line.member_id is not None:
                    if ahead is None and not self._complete:
                        scored = False
                    elif (
                        ahead is None
                        or ahead.line != at
                        or ahead.page != number
                        or ahead.sub != 0
                        or ahead.member_id != line.member_id
                    ):
                        raise self._mismatch(Folio(number, at), line, ahead)
                    else:
                        mine = (ahead,)
                        self._number = ahead.number
                        ahead = next(postings, None)
                elif type(line.fact) is ClockTicked:
                    mine, ahead = self._of_tick(number, at, ahead, postings)
                    scored = ahead is not None or self._complete
                folio = self._folio = Folio(number, at)
                yield WalkedLine(folio, line, mine, scored)
        if ahead is not None:
            raise self._without_line(ahead)

    def _of_tick(
        self, page: int, line: int, ahead: Posting | None, postings: Iterator[Posting]
    ) -> tuple[Sequence[Posting], Posting | None]:
        """The postings of one tick, whose sub-lines count them from 0, and the posting after them."""
        mine: list[Posting] = []
        while ahead is not None and ahead.line == line and ahead.page == page:
            if ahead.sub != len(mine):
                raise BooksDamaged(
                    self._ledger_name,
                    None,
                    f"{_posting(ahead)} has sub-line {ahead.sub} of the tick at {_place(page, line)} of "
                    f"{self._journal_name}, where sub-line {len(mine)} comes next",
                    _RESTORE,
                )
            mine.append(ahead)
            self._number = ahead.number
            ahead = next(postings, None)
        return mine, ahead

    def _numbered_pages(self) -> Iterator[tuple[JournalPage, int]]:
        """Each page with the index of its first line that is not yet done; numbers must have no gap."""
        done = self._start.folio
        expected = 0 if self._start.journal == 0 else None
        at = self._start.journal
        for after, page in self._pages:
            if self._gaps:
                is_due = expected is None or page.page >= expected
            else:
                is_due = page.page == expected or (expected is None and (done is None or page.page <= done.page + 1))
            if not is_due:
                what = (
                    f"page {page.page} follows where page {done.page if done and expected is None else expected} is due"
                )
                raise BooksDamaged(self._journal_name, None, what, _RESTORE)
            expected = page.page + 1
            self._page_at = at
            if done is None or page.page > done.page:
                yield page, 0
            elif page.page == done.page:
                yield page, done.line + 1
            at = after

    def _numbered_postings(self) -> Iterator[Posting]:
        """The postings that are not yet done; numbers must have no gap."""
        done = self._start.number
        expected = 1 if self._start.ledger == 0 else 0
        at = self._start.ledger
        for after, batch in self._batches:
            self._batch_at = at
            for posting in batch:
                number = posting.number
                if number != expected and (expected or number > done + 1):
                    what = f"{_posting(posting)} follows where number {expected or done + 1} is due"
                    raise BooksDamaged(self._ledger_name, None, what, _RESTORE)
                expected = number + 1
                if number > done:
                    yield posting
            at = after
        self._batch_at = at

    def _mismatch(self, folio: Folio, line: JournalLine, posting: Posting | None) -> BooksDamaged:
        """The journal has a member's fact, and the ledger no posting or that of another line or member."""
        there = f"the fact of member {line.member_id} at {_place(folio.page, folio.line)} of {self._journal_name}"
        if posting is None:
            return BooksDamaged(self._ledger_name, None, f"it ends before a posting for {there}", _RESTORE)
        found = f"{_posting(posting)}, for {_place(posting.page, posting.line)}, sub-line {posting.sub}"
        return BooksDamaged(self._ledger_name, None, f"{found}, stands where that for {there} is due", _RESTORE)

    def _without_line(self, posting: Posting) -> BooksDamaged:
        there = f"{_place(posting.page, posting.line)} of {self._journal_name}"
        what = f"{_posting(posting)} names {there}, where no fact is left that could have made it"
        return BooksDamaged(self._ledger_name, None, what, _RESTORE)


def _posting(posting: Posting) -> str:
    return f"posting {posting.number} of member {posting.member_id}"


def _place(page: int, line: int) -> str:
    return f"page {page}, line {line}"
