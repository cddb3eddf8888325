"""However often, by however many, and however rudely interrupted books are projected: the answers are the same."""

from collections.abc import Iterator
from itertools import cycle

import pytest

from projections.audits.run import run_audits
from projections.clickhouse.client import ClickHouse
from projections.projector import Projected, StoreOfOtherBooks, project
from projections.sql_files import sql_file
from schemas.posting import FIRST_EDITION
from tests.fakes.list_books import ListBooks
from tests.fakes.store import CallsBefore, InsertsTwice, Stopped, StopsAfter
from tests.sql.bookkeeper import Bookkeeper
from tests.sql.projected_books import SMALL_BATCH, answers, cut_short, empty, inserts_of


def test_a_projection_says_what_it_brought_in(store: ClickHouse, books: ListBooks) -> None:
    seen: list[Projected] = []
    done = project(books, store, FIRST_EDITION, on_progress=seen.append)
    lines = sum(len(page.lines) for pages in books.pages for page in pages)
    postings = sum(len(block) for blocks in books.blocks["0001"] for block in blocks)
    assert done == Projected(lines, postings, 2)
    assert seen[-1] == done
    assert project(books, store, FIRST_EDITION) == Projected()


def test_a_second_projection_changes_nothing(
    store: ClickHouse, books: ListBooks, undisturbed: dict[str, list[bytes]]
) -> None:
    project(books, store, FIRST_EDITION)
    project(books, store, FIRST_EDITION)
    assert answers(store) == undisturbed


def test_every_batch_inserted_twice_gives_the_same_answers(
    store: ClickHouse, books: ListBooks, undisturbed: dict[str, list[bytes]]
) -> None:
    project(books, InsertsTwice(store), FIRST_EDITION, batch_bytes=SMALL_BATCH)
    doubled = store.rows("SELECT count() AS rows, uniqExact(member_id, seq, n) AS ids FROM tallybook_rows.ledger")
    assert int(str(doubled[0]["rows"])) == 2 * int(str(doubled[0]["ids"]))  # nothing was merged meanwhile
    assert answers(store) == undisturbed
    assert not [found for found in run_audits(store) if found.rows]
    store.command("SYSTEM START MERGES")
    for row in store.rows("SELECT name FROM system.tables WHERE database = 'tallybook_rows'"):
        store.command(f"OPTIMIZE TABLE tallybook_rows.{row['name']} FINAL")
    assert answers(store) == undisturbed


@pytest.mark.long
def test_a_projection_cut_at_any_insert_is_mended_by_the_next(
    store: ClickHouse, books: ListBooks, undisturbed: dict[str, list[bytes]], step: int
) -> None:
    inserts = inserts_of(store, books)
    assert inserts > 15
    for cut in {*range(0, inserts, step), inserts - 1}:
        empty(store)
        with pytest.raises(Stopped):
            project(books, StopsAfter(store, cut), FIRST_EDITION, batch_bytes=SMALL_BATCH)
        # No marker speaks of rows that are not there; `lost_rows` looks for such.
        assert store.rows(sql_file("audits", "lost_rows").statement) == [], f"cut after {cut} inserts"
        # The markers come last: who finds them level with the books need not project again.
        assert project(books, store, FIRST_EDITION) != Projected(), f"cut after {cut} inserts"
        assert answers(store) == undisturbed, f"cut after {cut} inserts"


def interleavings(inserts: int, step: int) -> Iterator[tuple[int, int]]:
    """Moments of the one at which the other steps in, and how far the other then gets: hardly, half, nearly, whole."""
    return zip(range(0, inserts, 2 * step), cycle((1, inserts // 2, inserts - 2, inserts)), strict=False)


@pytest.mark.long
def test_two_projectors_over_the_same_range(
    store: ClickHouse, books: ListBooks, undisturbed: dict[str, list[bytes]], step: int
) -> None:
    for moment, far in interleavings(inserts_of(store, books), step):
        empty(store)

        def other(far: int = far) -> None:
            try:
                project(books, StopsAfter(store, far), FIRST_EDITION, batch_bytes=SMALL_BATCH)
            except Stopped:
                return  # it hangs there for ever

        project(books, CallsBefore(store, moment, other), FIRST_EDITION, batch_bytes=SMALL_BATCH)
        assert answers(store) == undisturbed, f"the other came before insert {moment} and made {far}"


@pytest.mark.long
def test_a_slow_projector_of_older_books_does_not_turn_back_a_fast_one(
    store: ClickHouse, books: ListBooks, undisturbed: dict[str, list[bytes]], step: int
) -> None:
    older = cut_short(books, 1)
    for moment in range(0, inserts_of(store, older), 2 * step):
        empty(store)
        project(
            older,
            CallsBefore(store, moment, lambda: project(books, store, FIRST_EDITION)),
            FIRST_EDITION,
            batch_bytes=SMALL_BATCH,
        )
        assert answers(store) == undisturbed
        assert project(books, store, FIRST_EDITION) == Projected()


def test_books_that_grow_are_projected_from_where_it_left_off(
    store: ClickHouse, books: ListBooks, undisturbed: dict[str, list[bytes]]
) -> None:
    total = Projected()
    for records in range(1, 10):
        done = project(cut_short(books, records), store, FIRST_EDITION)
        total = Projected(total.facts + done.facts, total.postings + done.postings, total.rejects + done.rejects)
    assert project(books, store, FIRST_EDITION) == Projected()
    assert answers(store) == undisturbed
    assert total.postings == sum(len(block) for blocks in books.blocks["0001"] for block in blocks)


def test_other_books_are_refused(store: ClickHouse, books: ListBooks) -> None:
    project(books, store, FIRST_EDITION)
    before = answers(store)
    with pytest.raises(StoreOfOtherBooks, match=r"'other'.*T.*Z.*delete the folder clickhouse/"):
        project(ListBooks(3, deployment="other"), store, FIRST_EDITION)
    with pytest.raises(StoreOfOtherBooks):
        project(ListBooks(2), store, FIRST_EDITION)
    assert answers(store) == before


def test_another_edition_is_not_shown_before_it_is_current(store: ClickHouse, books: ListBooks) -> None:
    project(books, store, FIRST_EDITION)
    before = answers(store)
    books.blocks["0002"] = [[] for _ in range(books.partitions)]
    richer = Bookkeeper(partitions=3)
    richer.purchase("ann", "2026-01-05T10:00", earned={"base": 9_999})
    books.blocks["0002"] = richer.books().blocks["0001"]
    project(books, store, edition="0002")
    assert answers(store) == before
    store.command("INSERT INTO tallybook_rows.current_edition VALUES (1, '0002', 2)")
    assert store.rows("SELECT member_id, balance FROM tallybook.balances") == [{"member_id": "ann", "balance": 9_999}]
