"""A re-scoring of books in files compares up to their last tick, wherever that stands."""

from schemas.bounds import DAY_MS
from schemas.facts import ClockTicked, JournalFact, JournalOpened
from schemas.pages import JournalLine, JournalPage, RoundCommitted
from schemas.posting import FIRST_EDITION
from tallybook.rescore.cuts import make_cuts
from tests.fakes.books import MemoryBooks
from tests.support.small_folder import purchase


def last_tick(*pages: list[JournalFact]) -> int:
    """What the last tick is of books with these pages."""
    books = MemoryBooks(JournalOpened("shop", 1, 1, 0, 90 * DAY_MS, 30 * DAY_MS))
    writer = books.write()
    for number, facts in enumerate(pages, 1):
        writer.append_page(0, JournalPage(number, tuple(JournalLine(fact, 0) for fact in facts)))
    writer.commit(RoundCommitted(0, ()))
    return make_cuts(books.read(), FIRST_EDITION)[1]


def test_the_last_tick_is_found_on_the_last_page_or_before() -> None:
    guest = purchase("p-1", "11-02T09:00", None, 100)
    assert last_tick() == 0
    assert last_tick([guest]) == 0
    assert last_tick([ClockTicked(5)], [guest, ClockTicked(7)]) == 7
    assert last_tick([ClockTicked(5)], [ClockTicked(7), guest], [guest]) == 7
