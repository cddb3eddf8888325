"""The passes that take turns: Tallybook's own pieces, a general Avro library, the plain loop, the reference ledger."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

import fastavro

from benchmarks.demo_books import DemoBooks
from benchmarks.plain_loop import Event, Output, PlainLoop
from benchmarks.timing import Timings
from schemas.avro.codecs import decode_record, encode_record
from schemas.avro.contracts import load_schema
from schemas.avro.publisher_schemas import with_plain_types
from schemas.canonical import EMPTY_DIGEST, next_journal_digest, next_ledger_digest
from schemas.facts import JournalOpened, RulesetPublished
from schemas.pages import JournalLine, JournalPage
from schemas.posting import EntryType, Posting
from tests.support.deciders import Feed, decider_feed, reference_feed

# What the plain loop would publish for each award and expiry.
AWARD_SCHEMA: Final = {
    "type": "record",
    "name": "Award",
    "fields": [
        {"name": "member_id", "type": "string"},
        {"name": "event_id", "type": "string"},
        {"name": "rule_id", "type": "string"},
        {"name": "points", "type": "long"},
        {"name": "occurred_at", "type": "long"},
        {"name": "expires_at", "type": ["null", "long"]},
        {"name": "balance", "type": "long"},
    ],
}
Balances = dict[str, tuple[int, int]]


class LedgerPass:
    """Decode, decide and apply, encode, and the digests, each on what the one before it has just made."""

    def __init__(self, books: DemoBooks, times: Timings) -> None:
        self._books = books
        self._times = times
        self._postings: list[list[Posting]] = []

    @property
    def postings(self) -> int:
        """How many postings the last pass made."""
        return sum(map(len, self._postings))

    def run(self) -> None:
        """One pass through all four."""
        times, count = self._times, self._books.member_lines
        with times.piece("decode") as handled:
            pages = [[decode_record(JournalPage, body) for body in part] for part in self._books.pages]
            handled.append(count)
        decode = times.last
        feeds, lines = ready(pages, self._books, decider_feed)
        with times.piece("fold") as handled:
            self._postings = [fold(feed, part) for feed, part in zip(feeds, lines, strict=True)]
            handled.append(count)
        decided = times.last
        for postings in self._postings:
            for number, posting in enumerate(postings, 1):
                posting.number = number
        with times.piece("encode") as handled:
            _encode(pages, self._postings)
            handled.append(count)
        times.note("path", decode + decided + times.last, count)
        with times.piece("digests") as handled:
            _digest(pages, self._postings)
            handled.append(count)

    def bodies(self) -> list[bytes]:
        """The Avro bodies of the last pass's postings."""
        return [encode_record(posting) for postings in self._postings for posting in postings]

    def balances(self) -> Balances:
        """Points earned in all and the balance at the end, by member."""
        found: Balances = {}
        for postings in self._postings:
            for posting in postings:
                awards = [entry.points for entry in posting.entries if entry.type == EntryType.POINTS_AWARDED]
                earned, _ = found.get(posting.member_id, (0, 0))
                found[posting.member_id] = (earned + sum(awards), posting.balance)
        return found

    def awards(self) -> Counter[str]:
        """How often each rule paid."""
        return Counter(
            entry.rule_id
            for postings in self._postings
            for posting in postings
            for entry in posting.entries
            if entry.type == EntryType.POINTS_AWARDED
        )


class ReferencePass:
    """The slow and obvious ledger of the tests over the same lines."""

    def __init__(self, books: DemoBooks, times: Timings) -> None:
        self._books = books
        self._times = times

    def run(self) -> None:
        """One pass."""
        pages = [[decode_record(JournalPage, body) for body in part] for part in self._books.pages]
        feeds, lines = ready(pages, self._books, reference_feed)
        with self._times.piece("reference") as handled:
            for feed, part in zip(feeds, lines, strict=True):
                fold(feed, part)
            handled.append(self._books.member_lines)


class LibraryPass:
    """The same pages and postings through fastavro, under the same schemas, as plain dicts."""

    def __init__(self, books: DemoBooks, times: Timings) -> None:
        self._books = books
        self._times = times
        self._page = _parsed("JournalPage")
        self._posting = _parsed("Posting")
        ledger = LedgerPass(books, Timings())
        ledger.run()
        self.postings = ledger.bodies()
        self.written: list[bytes] = []

    def run(self) -> None:
        """Read the pages, and write them and the postings."""
        bodies = [body for part in self._books.pages for body in part]
        postings = [_read(self._posting, body) for body in self.postings]
        with self._times.piece("read") as handled:
            pages = [_read(self._page, body) for body in bodies]
            handled.append(self._books.member_lines)
        with self._times.piece("write") as handled:
            self.written = [_write(self._page, page) for page in pages]
            self.written += [_write(self._posting, posting) for posting in postings]
            handled.append(self._books.member_lines)


class LoopPass:
    """The plain loop over the same events, alone and between a reader and a writer of Avro messages."""

    def __init__(self, books: DemoBooks, times: Timings) -> None:
        self._books = books
        self._times = times
        self._messages = [(name, _parsed(name), body) for name, body in books.messages()]
        self._award = fastavro.parse_schema(AWARD_SCHEMA)
        self._loop = PlainLoop(books.text, books.opened.referral_window_ms)
        self.awards: Counter[str] = Counter()

    def run(self) -> None:
        """One pass: read each event, decide it, write its awards."""
        times, count = self._times, self._books.member_lines
        with times.piece("loop read") as handled:
            events = [{**_read(schema, body), "type": name} for name, schema, body in self._messages]
            handled.append(count)
        read = times.last
        loop = PlainLoop(self._books.text, self._books.opened.referral_window_ms)
        with times.piece("loop") as handled:
            outputs = list(_looped(loop, events, self._books.last_tick))
            handled.append(count)
        decided = times.last
        with times.piece("loop write") as handled:
            for output in outputs:
                _write(self._award, output)
            handled.append(count)
        times.note("loop path", read + decided + times.last, count)
        self._loop = loop
        self.awards = Counter(output["rule_id"] for output in outputs if output["points"] > 0)

    def balances(self) -> Balances:
        """Points earned in all and the balance at the end, by member."""
        return {member.member_id: (member.earned, member.balance) for member in self._loop.members.values()}


def _looped(loop: PlainLoop, events: list[Event], end: int) -> Iterator[Output]:
    for event in events:
        yield from loop.take(event)
    yield from loop.finish(end)


def ready(
    pages: list[list[JournalPage]], books: DemoBooks, feed_of: Callable[[JournalOpened], Feed]
) -> tuple[list[Feed], list[list[JournalLine]]]:
    """A decider for each partition that knows the rules already, and the lines that remain for it.

    Rules are compiled once per version, not per fact.
    """
    feeds = [feed_of(books.opened) for _ in pages]
    remaining: list[list[JournalLine]] = []
    for feed, part in zip(feeds, pages, strict=True):
        lines = [line for page in part for line in page.lines]
        for line in lines:
            if isinstance(line.fact, RulesetPublished):
                feed(line)
        remaining.append([line for line in lines if not isinstance(line.fact, RulesetPublished)])
    return feeds, remaining


def fold(feed: Feed, lines: list[JournalLine]) -> list[Posting]:
    """What a partition posts for its lines."""
    postings: list[Posting] = []
    for line in lines:
        postings += feed(line)
    return postings


def _encode(pages: list[list[JournalPage]], postings: list[list[Posting]]) -> None:
    for part in pages:
        for page in part:
            encode_record(page)
    for made in postings:
        for posting in made:
            encode_record(posting)


def _digest(pages: list[list[JournalPage]], postings: list[list[Posting]]) -> None:
    for part, made in zip(pages, postings, strict=True):
        digest = EMPTY_DIGEST
        for page in part:
            for line in page.lines:
                digest = next_journal_digest(digest, line.member_id, line.fact)
        digest = EMPTY_DIGEST
        for posting in made:
            digest = next_ledger_digest(digest, posting)


def _parsed(name: str) -> Any:
    return fastavro.parse_schema(with_plain_types(load_schema(name)))


def _read(schema: Any, body: bytes) -> Any:
    return fastavro.schemaless_reader(io.BytesIO(body), schema, None, return_record_name=True)


def _write(schema: Any, value: Any) -> bytes:
    body = io.BytesIO()
    fastavro.schemaless_writer(body, schema, value)
    return body.getvalue()
