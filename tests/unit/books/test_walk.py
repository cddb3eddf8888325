"""The two books side by side: which posting belongs to which line, where a walk may be resumed, and what is refused."""

from collections.abc import Sequence
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from books.errors import BooksDamaged
from books.walk import BEGINNING, BookPlace, Walk, WalkedLine, walk
from schemas.pages import Folio, JournalLine, JournalPage
from schemas.posting import Posting
from tests.fakes.books import MemoryBooks
from tests.support.book_samples import OPENED, book_fact, check_in, guest, posting, round_of, tick

Pages = list[tuple[int, JournalPage]]
Batches = list[tuple[int, Sequence[Posting]]]

ANN, BOB = check_in("ann", 1), check_in("bob", 2)


def journal(*pages: Sequence[JournalLine]) -> Pages:
    """Pages with positions 100, 200, …; page 0 is the book's opening."""
    opening = JournalPage(0, (book_fact(OPENED),))
    return [(100, opening)] + [(100 * n + 100, JournalPage(n, tuple(lines))) for n, lines in enumerate(pages, 1)]


def ledger(*batches: Sequence[tuple[int, int, int, str]]) -> Batches:
    """Batches with positions 10, 20, … of postings given as (page, line, sub, member), numbered from 1."""
    found: Batches = []
    number = 0
    for n, batch in enumerate(batches, 1):
        made = []
        for page, line, sub, member in batch:
            number += 1
            made.append(posting(number, page, line, sub, member_id=member))
        found.append((10 * n, made))
    return found


def summary(walked_lines: Sequence[WalkedLine]) -> list[tuple[Folio, list[int], bool]]:
    return [(line.folio, [posting.number for posting in line.postings], line.scored) for line in walked_lines]


def lines_of(
    pages: Pages, batches: Batches, start: BookPlace = BEGINNING, *, complete: bool = False
) -> list[WalkedLine]:
    return list(Walk(pages, batches, start, complete=complete))


def damage(pages: Pages, batches: Batches, start: BookPlace = BEGINNING, *, complete: bool = False) -> BooksDamaged:
    with pytest.raises(BooksDamaged) as caught:
        list(Walk(pages, batches, start, complete=complete, journal_name="journal/00", ledger_name="ledger.0001/00"))
    return caught.value


# -- what belongs together


def test_each_line_stands_beside_its_postings() -> None:
    pages = journal([ANN, guest(1), BOB], [tick(5), ANN, tick(6)])
    batches = ledger(
        [(1, 0, 0, "ann"), (1, 2, 0, "bob")],
        [(2, 0, 0, "ann"), (2, 0, 1, "bob"), (2, 1, 0, "ann")],
        [(2, 2, 0, "bob")],
    )
    walked_lines = lines_of(pages, batches, complete=True)
    assert summary(walked_lines) == [
        (Folio(0, 0), [], True),
        (Folio(1, 0), [1], True),
        (Folio(1, 1), [], True),
        (Folio(1, 2), [2], True),
        (Folio(2, 0), [3, 4], True),
        (Folio(2, 1), [5], True),
        (Folio(2, 2), [6], True),
    ]
    assert [line.line for line in walked_lines] == [line for _, page in pages for line in page.lines]


def test_an_empty_ledger_leaves_members_unscored() -> None:
    assert summary(lines_of(journal([guest(1), ANN, guest(2)]), [])) == [
        (Folio(0, 0), [], True),
        (Folio(1, 0), [], True),
        (Folio(1, 1), [], False),
        (Folio(1, 2), [], False),
    ]


def test_a_journal_ahead_of_the_ledger_is_seen_line_by_line() -> None:
    pages = journal([ANN, BOB], [ANN, guest(1), BOB])
    batches = ledger([(1, 0, 0, "ann"), (1, 1, 0, "bob")], [(2, 0, 0, "ann")])
    assert [scored for _, _, scored in summary(lines_of(pages, batches))] == [True, True, True, True, True, False]
    assert "it ends before a posting for the fact of member bob at page 2, line 2" in str(
        damage(pages, batches, complete=True)
    )


def test_a_tick_at_the_end_of_the_ledger_may_be_half_done() -> None:
    pages = journal([ANN, tick(5)])
    half = ledger([(1, 0, 0, "ann")], [(1, 1, 0, "ann"), (1, 1, 1, "bob")])
    assert summary(lines_of(pages, half))[-1] == (Folio(1, 1), [2, 3], False)
    assert summary(lines_of(pages, half, complete=True))[-1] == (Folio(1, 1), [2, 3], True)
    # A posting after it vouches for the whole tick.
    longer = journal([ANN, tick(5), BOB])
    vouched = ledger([(1, 0, 0, "ann"), (1, 1, 0, "ann")], [(1, 2, 0, "bob")])
    assert [scored for _, _, scored in summary(lines_of(longer, vouched))] == [True] * 4
    # A tick without due work has none; it is unknown only at the end.
    assert summary(lines_of(pages, ledger([(1, 0, 0, "ann")])))[-1] == (Folio(1, 1), [], False)


def test_empty_books_give_no_lines() -> None:
    assert lines_of([], []) == []
    assert summary(lines_of(journal(), [])) == [(Folio(0, 0), [], True)]


# -- what does not


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        pytest.param(
            ledger([(1, 0, 0, "bob"), (1, 2, 0, "bob")]),
            "posting 1 of member bob, for page 1, line 0, sub-line 0, stands where that for the fact of member ann at "
            "page 1, line 0 of journal/00 is due",
            id="another member",
        ),
        pytest.param(
            ledger([(1, 0, 1, "ann"), (1, 2, 0, "bob")]), "line 0, sub-line 1, stands where", id="sub-line of a fact"
        ),
        pytest.param(ledger([(1, 2, 0, "bob"), (1, 0, 0, "ann")]), "posting 1 of member bob", id="out of order"),
        pytest.param(ledger([(1, 2, 0, "bob")]), "for page 1, line 2, sub-line 0, stands where", id="one left out"),
        pytest.param(
            ledger([(1, 0, 0, "ann"), (1, 0, 0, "ann"), (1, 2, 0, "bob")]), "posting 2 of member ann", id="one doubled"
        ),
        pytest.param(
            ledger([(1, 0, 0, "ann"), (1, 1, 0, "ann"), (1, 2, 0, "bob")]),
            "posting 2 of member ann, for page 1, line 1, sub-line 0, stands where that for the fact of member bob",
            id="one for a guest",
        ),
        pytest.param(
            ledger([(1, 1, 0, "ann"), (1, 2, 0, "bob")]),
            "posting 1 of member ann, for page 1, line 1, sub-line 0, stands where that for the fact of member ann",
            id="the line after",
        ),
        pytest.param(
            ledger([(0, 0, 0, "ann"), (1, 0, 0, "ann")]), "posting 1 of member ann, for page 0, line 0", id="opening"
        ),
        pytest.param(
            ledger([(1, 0, 0, "ann"), (1, 2, 0, "bob"), (1, 3, 0, "ann"), (1, 3, 2, "bob")]),
            "posting 4 of member bob has sub-line 2 of the tick at page 1, line 3 of journal/00, where sub-line 1",
            id="a gap in a tick",
        ),
        pytest.param(
            ledger([(1, 0, 0, "ann"), (1, 2, 0, "bob"), (1, 4, 0, "ann")]),
            "posting 3 of member ann names page 1, line 4 of journal/00, where no fact is left",
            id="beyond the page",
        ),
        pytest.param(
            ledger([(1, 0, 0, "ann"), (1, 2, 0, "bob"), (2, 0, 0, "ann")]),
            "names page 2, line 0 of journal/00, where no fact is left",
            id="ledger ahead of the journal",
        ),
    ],
)
@pytest.mark.parametrize("complete", [False, True])
def test_a_posting_that_belongs_to_no_line_is_named_with_the_line(
    batches: Batches, message: str, *, complete: bool
) -> None:
    error = damage(journal([ANN, guest(1), BOB, tick(5)]), batches, complete=complete)
    assert message in str(error)
    assert error.file == "ledger.0001/00"
    assert "restore both from one backup" in str(error)


def test_numbers_with_a_gap_are_refused() -> None:
    pages = journal([ANN, BOB])
    batches = ledger([(1, 0, 0, "ann")], [(1, 1, 0, "bob")])
    batches[1][1][0].number = 3
    assert "posting 3 of member bob follows where number 2 is due" in str(damage(pages, batches))
    batches[0][1][0].number = 2
    assert "posting 2 of member ann follows where number 1 is due" in str(damage(pages, batches))
    assert "page 2 follows where page 1 is due" in str(damage([*journal(), *journal([ANN], [BOB])[2:]], []))
    assert "page 1 follows where page 0 is due" in str(damage(journal([ANN])[1:], []))


# -- going on from a place


def walked(pages: Pages, batches: Batches) -> list[tuple[WalkedLine, BookPlace]]:
    walking = Walk(pages, batches)
    return [(line, walking.place()) for line in walking]


def resumed(pages: Pages, batches: Batches, place: BookPlace) -> list[WalkedLine]:
    """What a walk gives that starts from a place, as the books do: only what stands behind its positions."""
    return lines_of(
        [item for item in pages if item[0] > place.journal], [item for item in batches if item[0] > place.ledger], place
    )


def test_a_walk_goes_on_from_every_line() -> None:
    pages = journal([ANN, guest(1), BOB], [tick(5), ANN], [guest(2)], [BOB])
    batches = ledger(
        [(1, 0, 0, "ann")],
        [(1, 2, 0, "bob"), (2, 0, 0, "ann")],
        [(2, 0, 1, "bob"), (2, 1, 0, "ann")],
        [(4, 0, 0, "bob")],
    )
    walked_lines = walked(pages, batches)
    for n, (_, place) in enumerate(walked_lines):
        rest = [line for line, _ in walked_lines[n + 1 :]]
        assert resumed(pages, batches, place) == rest
        assert lines_of(pages, batches, BookPlace(0, 0, place.folio, place.number)) == rest
    assert walked_lines[1][1] == BookPlace(journal=100, ledger=10, folio=Folio(1, 0), number=1)
    assert walked_lines[-1][1] == BookPlace(journal=400, ledger=40, folio=Folio(4, 0), number=4 + 2)


def test_a_walk_that_has_not_begun_stands_at_its_start() -> None:
    place = BookPlace(100, 10, Folio(1, 0), 1)
    assert Walk([], [], place).place() == place
    assert Walk([], []).place() == BEGINNING


def test_a_place_of_other_books_is_refused() -> None:
    pages = journal([ANN, BOB], [ANN], [BOB])
    batches = ledger([(1, 0, 0, "ann"), (1, 1, 0, "bob")], [(2, 0, 0, "ann")], [(3, 0, 0, "bob")])
    assert "page 3 follows where page 1 is due" in str(
        damage(pages[3:], batches[2:], BookPlace(300, 20, Folio(1, 1), 3))
    )
    assert "posting 4 of member bob follows where number 3 is due" in str(
        damage(pages[2:], batches[2:], BookPlace(200, 20, Folio(1, 1), 2))
    )


LINES = st.lists(st.sampled_from(["ann", "bob", "guest", "tick"]), min_size=1, max_size=6)


@given(st.lists(LINES, max_size=5), st.lists(st.integers(0, 3), max_size=40), st.randoms(use_true_random=False))
def test_what_was_posted_line_by_line_is_found_line_by_line(
    kinds: list[list[str]], due: list[int], rng: Random
) -> None:
    lines = {"ann": ANN, "bob": BOB, "guest": guest(1), "tick": tick(1)}
    pages = journal(*[[lines[kind] for kind in page] for page in kinds])
    expected: list[tuple[Folio, list[int]]] = [(Folio(0, 0), [])]
    flat: list[Posting] = []
    more = iter(due)
    for n, page in enumerate(kinds, 1):
        for at, kind in enumerate(page):
            count = {"guest": 0, "tick": next(more, 1)}.get(kind, 1)
            member = kind if kind in {"ann", "bob"} else "ann"
            mine = [posting(len(flat) + sub + 1, n, at, sub, member_id=member) for sub in range(count)]
            flat += mine
            expected.append((Folio(n, at), [one.number for one in mine]))
    cuts = sorted(rng.sample(range(len(flat) + 1), min(3, len(flat))))
    ends = [*cuts, len(flat)]
    batches: Batches = [(10 * n, flat[a:b]) for n, (a, b) in enumerate(zip([0, *ends], ends, strict=False), 1) if b > a]
    whole = lines_of(pages, batches, complete=True)
    assert [(folio, numbers) for folio, numbers, _ in summary(whole)] == expected
    assert all(line.scored for line in whole)
    for n, (_, place) in enumerate(walked(pages, batches)):
        assert [line.folio for line in resumed(pages, batches, place)] == [line.folio for line in whole[n + 1 :]]
    for cut in range(len(flat)):
        part = lines_of(pages, [(10, flat[:cut])] if cut else [])
        assert [one.number for line in part for one in line.postings] == list(range(1, cut + 1))
        first = next(n for n, line in enumerate(whole) if line.postings and line.postings[-1].number > cut)
        assert not any(line.scored for line in part[first:])


def test_a_log_is_walked_by_edition_and_partition() -> None:
    books = MemoryBooks(OPENED)
    writer = books.write()
    writer.append_page(1, JournalPage(1, (ANN, guest(1))))
    writer.append_postings("0001", 1, [posting(1, 1, 0)])
    writer.commit(round_of(1))
    assert [line.folio for line in walk(books.read(), "0001", 1)] == [Folio(0, 0), Folio(1, 0), Folio(1, 1)]
    assert [line.folio for line in walk(books.read(), "0001", 0)] == [Folio(0, 0)]
    walking = walk(books.read(), "0001", 1)
    places = [walking.place() for _ in walking]
    assert summary(list(walk(books.read(), "0001", 1, places[0], complete=True))) == [
        (Folio(1, 0), [1], True),
        (Folio(1, 1), [], True),
    ]
    assert not list(walk(books.read(), "0001", 1, places[-1], complete=True))
    stranger = msgspec.structs.replace(posting(2, 7, 0))
    writer.append_postings("0001", 1, [stranger])
    writer.commit(round_of(1))
    with pytest.raises(BooksDamaged, match=r"ledger\.0001/01: posting 2 .* of journal/01"):
        list(walk(books.read(), "0001", 1))
