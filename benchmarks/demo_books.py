"""What the benchmarks are fed with: a folder that has taken in the demo's year, and that year as each peer wants it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.avro.codecs import encode_record
from schemas.facts import ClockTicked, JournalOpened, PublishedFact, RefereePurchased, ReferralMade, RulesetPublished
from schemas.pages import JournalPage
from tallybook.clock import now_ms
from tallybook.demo.defaults import FACTS, MEMBERS
from tallybook.demo.run import PROGRAMME
from tallybook.demo.year import DEMO_YEAR_STARTS_AT, DemoYear
from tallybook.folder.defaults import DEFAULT_HORIZON_DAYS, DEFAULT_PARTITIONS
from tallybook.folder.folder import Folder
from tallybook.folder.import_files import Imported, import_files

FACTS_PER_MEMBER: Final = FACTS // MEMBERS


@dataclass(frozen=True)
class DemoBooks:
    """The journal of a demo year.

    `pages` are the pages of each partition as Avro bodies, `member_lines` how many of their lines hold a fact in a
    member's account (guests, ticks and publications apart), `events` the published events one by one, in the order they
    were taken in, `text` the ruleset, `last_tick` (UTC ms) the end of the year.
    """

    opened: JournalOpened
    pages: list[list[bytes]]
    member_lines: int
    events: list[PublishedFact]
    text: str
    last_tick: int

    def messages(self) -> list[tuple[str, bytes]]:
        """Each event as one message: its type and its Avro body."""
        return [(type(event).__name__, encode_record(event)) for event in self.events]


def write_inbox(place: Path, facts: int, members: int = 0) -> Path:
    """Write a demo year of `facts` events as one JSON lines file in order of time; by default 30 a member."""
    year = DemoYear(facts, members or max(1, facts // FACTS_PER_MEMBER))
    file = place / "year.jsonl"
    encode = msgspec.json.Encoder().encode
    with file.open("wb") as out:
        out.writelines(encode(event) + b"\n" for _, event in year.events())
    return file


def import_year(root: Path, file: Path) -> tuple[Folder, Imported]:
    """Import the file into a fresh folder under the coffee chain's rules."""
    folder = Folder(root)
    folder.create("bench", DEFAULT_PARTITIONS, DEFAULT_HORIZON_DAYS, DEMO_YEAR_STARTS_AT)
    folder.copy_ruleset(PROGRAMME)
    return folder, import_files(folder, [str(file)], None, now=now_ms(), processes=1)


def read_books(folder: Folder) -> DemoBooks:
    """Everything that the benchmarks need of a folder's journal, in memory."""
    with folder.reading() as log:
        pages = [[page for _, page in log.read_journal(partition)] for partition in range(log.partitions)]
        committed = log.committed()
        opened = log.opened()
    if committed is None:
        sys.exit("the books were never committed: nothing to measure")
    return DemoBooks(
        opened=opened,
        pages=[[encode_record(page) for page in part] for part in pages],
        member_lines=sum(line.member_id is not None for part in pages for page in part for line in page.lines),
        events=[fact for _, fact in sorted(_events(pages), key=lambda item: item[0])],
        text=_text_published(pages[0]),
        last_tick=committed.last_tick,
    )


def _text_published(pages: list[JournalPage]) -> str:
    return next(line.fact.text for page in pages for line in page.lines if isinstance(line.fact, RulesetPublished))


def _events(pages: list[list[JournalPage]]) -> Iterator[tuple[Any, PublishedFact]]:
    """The published events with their order; a referral stands in two accounts and is given once."""
    for part in pages:
        for page in part:
            for line in page.lines:
                fact = line.fact
                if isinstance(fact, ClockTicked | RulesetPublished | JournalOpened | RefereePurchased):
                    continue
                if not isinstance(fact, ReferralMade) or line.member_id == fact.referee_id:
                    yield (fact.occurred_at, line.record), fact
