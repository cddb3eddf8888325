"""A projection into a store in memory, cut and met by another at every insert; tests/sql tries some on real tables."""

from contextlib import suppress
from functools import partial
from itertools import product

import pytest

from projections.projector import Projected, project
from projections.store import Row
from schemas.posting import FIRST_EDITION
from tests.fakes.list_books import ListBooks
from tests.fakes.store import CallsBefore, FakeStore, Key, Stopped, StopsAfter
from tests.sql.bookkeeper import small_programme
from tests.sql.projected_books import SMALL_BATCH, cut_short, in_small_records

Tables = dict[str, dict[Key, Row]]


@pytest.fixture(scope="module")
def books() -> ListBooks:
    return in_small_records(small_programme().books())


@pytest.fixture(scope="module")
def undisturbed(books: ListBooks) -> Tables:
    """The rows after one quiet projection."""
    store = FakeStore()
    project(books, store, FIRST_EDITION)
    return store.tables


def inserts_of(books: ListBooks) -> int:
    counting = StopsAfter(FakeStore(), 1_000)
    project(books, counting, FIRST_EDITION, batch_bytes=SMALL_BATCH)
    return 1_000 - counting.left


def cut_after(inserts: int, store: FakeStore, books: ListBooks) -> None:
    """A projection that dies after so many inserts, if it makes more."""
    with suppress(Stopped):
        project(books, StopsAfter(store, inserts), FIRST_EDITION, batch_bytes=SMALL_BATCH)


def test_cut_at_any_insert_it_is_mended_by_the_next(books: ListBooks, undisturbed: Tables) -> None:
    inserts = inserts_of(books)
    assert inserts > 15
    for cut in range(inserts):
        store = FakeStore()
        cut_after(cut, store, books)
        # The markers come last: who finds them level with the books need not project again.
        assert project(books, store, FIRST_EDITION) != Projected(), f"cut after {cut} inserts"
        assert store.tables == undisturbed, f"cut after {cut} inserts"


def test_two_over_the_same_range_leave_what_one_leaves(books: ListBooks, undisturbed: Tables) -> None:
    inserts = inserts_of(books)
    for moment, far in product(range(inserts), range(1, inserts, 4)):
        store = FakeStore()
        other = partial(cut_after, far, store, books)
        project(books, CallsBefore(store, moment, other), FIRST_EDITION, batch_bytes=SMALL_BATCH)
        assert store.tables == undisturbed, f"the other came before insert {moment} and made {far}"


def test_a_slow_one_of_older_books_does_not_turn_back_a_fast_one(books: ListBooks, undisturbed: Tables) -> None:
    older = cut_short(books, 1)
    for moment in range(inserts_of(older)):
        store = FakeStore()
        fast = partial(project, books, store, FIRST_EDITION)
        project(older, CallsBefore(store, moment, fast), FIRST_EDITION, batch_bytes=SMALL_BATCH)
        assert store.tables == undisturbed, f"the fast one came before insert {moment}"
        assert project(books, store, FIRST_EDITION) == Projected()
