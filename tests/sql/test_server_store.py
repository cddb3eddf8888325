"""What the rest of Tallybook relies on in the embedded store, a server over HTTP gives too; and what only servers do.

Which kind of server these tests ran on stands in their names; where there is none, it is chDB behind HTTP.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from projections.audits.run import run_audits
from projections.clickhouse.client import ClickHouse, open_server
from projections.clickhouse.migrate import StoreTooNew, migrate
from projections.projector import Projected, Projector, StoreOfOtherBooks, project
from projections.sql_files import sql_files
from projections.store import LEDGER, Parameters, Row
from schemas.posting import FIRST_EDITION
from tests.fakes.list_books import ListBooks
from tests.fakes.store import CallsBefore, InsertsTwice
from tests.integration.clickhouses import drop_all
from tests.sql.projected_books import SMALL_BATCH, answers, as_new
from tests.sql.test_projector import (
    test_a_projection_cut_at_any_insert_is_mended_by_the_next,
    test_a_projection_says_what_it_brought_in,
    test_a_second_projection_changes_nothing,
    test_a_slow_projector_of_older_books_does_not_turn_back_a_fast_one,
    test_another_edition_is_not_shown_before_it_is_current,
    test_books_that_grow_are_projected_from_where_it_left_off,
    test_every_batch_inserted_twice_gives_the_same_answers,
    test_two_projectors_over_the_same_range,
)
from tests.sql.test_store import (
    test_a_reader_changes_nothing,
    test_a_reader_need_not_name_the_database,
    test_a_store_is_of_no_use_in_a_forked_process,
    test_a_wrong_statement_says_what_clickhouse_says,
    test_answers_come_in_the_formats_of_clickhouse,
    test_bytes_that_are_no_records_are_refused_and_nothing_stays,
    test_instants_and_dates_reach_to_the_end_of_the_calendar,
    test_no_rows_are_no_effect,
    test_parameters_are_bound_by_the_server,
    test_rows_need_every_column_and_no_other,
    test_texts_of_any_kind_go_in,
    test_values_of_every_kind_come_back,
    test_what_is_staged_goes_into_the_tables_of_its_book_alone,
)

# The tests of the embedded store that pytest finds here again, with the store of this module.
__all__ = [
    "test_a_projection_cut_at_any_insert_is_mended_by_the_next",
    "test_a_projection_says_what_it_brought_in",
    "test_a_reader_changes_nothing",
    "test_a_reader_need_not_name_the_database",
    "test_a_second_projection_changes_nothing",
    "test_a_slow_projector_of_older_books_does_not_turn_back_a_fast_one",
    "test_a_store_is_of_no_use_in_a_forked_process",
    "test_a_wrong_statement_says_what_clickhouse_says",
    "test_another_edition_is_not_shown_before_it_is_current",
    "test_answers_come_in_the_formats_of_clickhouse",
    "test_books_that_grow_are_projected_from_where_it_left_off",
    "test_bytes_that_are_no_records_are_refused_and_nothing_stays",
    "test_every_batch_inserted_twice_gives_the_same_answers",
    "test_instants_and_dates_reach_to_the_end_of_the_calendar",
    "test_no_rows_are_no_effect",
    "test_parameters_are_bound_by_the_server",
    "test_rows_need_every_column_and_no_other",
    "test_texts_of_any_kind_go_in",
    "test_two_projectors_over_the_same_range",
    "test_values_of_every_kind_come_back",
    "test_what_is_staged_goes_into_the_tables_of_its_book_alone",
]
MAX_WAIT_SECONDS = 60.0


@pytest.fixture(scope="module", autouse=True)
def _of_nobody_else(clickhouse_url: str) -> None:
    """The server holds nothing of other modules."""
    drop_all(clickhouse_url)


@pytest.fixture
def _dropped_afterwards(clickhouse_url: str) -> Iterator[None]:
    """The tables are made again for the next test, as this one changes which there are or what is noted of them."""
    yield
    drop_all(clickhouse_url)


@pytest.fixture
def store(clickhouse_url: str) -> Iterator[ClickHouse]:
    """Migrated and empty; no part is merged behind a test's back."""
    with open_server(clickhouse_url) as store:
        as_new(store)
        yield store
        store.command("SYSTEM START MERGES")


@pytest.fixture
def step() -> int:
    """Another way to the same engine: a few of the moments at which test_projector cuts are enough."""
    return 7


def test_what_one_inserted_another_reads(store: ClickHouse, clickhouse_url: str) -> None:
    store.insert("ticks", {"partition": [7], "at": [0]})
    with open_server(f"{clickhouse_url}/") as other:
        assert other.rows("SELECT partition FROM tallybook_rows.ticks") == [{"partition": 7}]


def test_what_one_has_staged_no_other_sees(store: ClickHouse, clickhouse_url: str, books: ListBooks) -> None:
    with open_server(clickhouse_url) as other:
        ours = store.stage(LEDGER, [(0, block) for block in books.ledger_blocks("0001", 0)])
        theirs = other.stage(LEDGER, [])
        assert ours != theirs
        other.insert_staged(theirs, "ledger", "0001", 3)
        assert store.rows("SELECT 1 FROM tallybook_rows.ledger") == []
        other.unstage(theirs)
        store.insert_staged(ours, "ledger", "0001", 3)
        assert store.rows("SELECT 1 FROM tallybook_rows.ledger") != []
        store.unstage(ours)


def test_few_bytes_take_one_thread_and_many_as_many_as_there_are(store: ClickHouse) -> None:
    store.unstage(store.stage(LEDGER, []))
    assert store.rows("SELECT toUInt32(getSetting('max_threads')) AS n") == [{"n": 1}]


def test_a_server_store_is_not_served_again(store: ClickHouse) -> None:
    store.announce(None)
    with pytest.raises(TypeError, match="only an embedded ClickHouse"):
        store.sessions()


def test_books_that_the_server_does_not_hold_are_refused(store: ClickHouse, books: ListBooks) -> None:
    project(books, store, FIRST_EDITION)
    before = answers(store)
    with pytest.raises(StoreOfOtherBooks, match=r"DROP DATABASE tallybook and DROP DATABASE tallybook_rows") as caught:
        project(ListBooks(3, deployment="other"), store, FIRST_EDITION)
    assert "clickhouse/" not in str(caught.value)
    assert answers(store) == before


def test_of_two_with_different_books_at_the_same_moment_one_is_refused(store: ClickHouse, books: ListBooks) -> None:
    other = ListBooks(3, deployment="other")
    with pytest.raises(StoreOfOtherBooks):
        project(books, CallsBefore(store, 0, lambda: project(other, store, FIRST_EDITION)), FIRST_EDITION)
    assert store.rows("SELECT 1 FROM tallybook_rows.ledger") == []


@pytest.mark.usefixtures("_dropped_afterwards")
def test_newer_tables_on_a_server_say_what_to_do(store: ClickHouse) -> None:
    store.insert("migrations", {"number": [999], "name": ["0999_later"], "sha256": ["x"]})
    with pytest.raises(StoreTooNew, match=r"0999_later.*DROP DATABASE tallybook_rows"):
        migrate(store)


def test_a_projector_takes_its_partitions_and_no_other(store: ClickHouse, books: ListBooks) -> None:
    done = Projector(books, store, FIRST_EDITION, partitions=[2, 0], rejects=False).project()
    found = store.rows("SELECT DISTINCT partition FROM tallybook_rows.progress ORDER BY partition")
    assert [row["partition"] for row in found] == [0, 2]
    assert done.rejects == 0
    assert Projector(books, store, FIRST_EDITION, partitions=[], rejects=True).project() == Projected(rejects=2)
    with pytest.raises(AssertionError, match=r"\[1, 3\].*with 3"):
        Projector(books, store, FIRST_EDITION, partitions=[3, 1])


def test_partitions_that_change_hands_are_read_from_where_the_other_came(
    store: ClickHouse, books: ListBooks, undisturbed: dict[str, list[bytes]]
) -> None:
    first = Projector(books, store, FIRST_EDITION, partitions=[0, 1])
    first.project()
    Projector(books, store, FIRST_EDITION, partitions=[1, 2], rejects=False).project()
    assert answers(store) == undisturbed
    assert first.project() == Projected()  # it does not know that it has lost one
    assert Projector(books, store, FIRST_EDITION).project() == Projected()


@pytest.mark.long
@pytest.mark.parametrize("parts", [((0, 1), (2,)), ((0, 1, 2), (0, 1, 2))], ids=["apart", "the-same"])
def test_two_projectors_at_once_with_every_batch_twice_give_the_answers_of_one(
    store: ClickHouse,
    clickhouse_url: str,
    books: ListBooks,
    undisturbed: dict[str, list[bytes]],
    parts: tuple[tuple[int, ...], ...],
) -> None:
    together = threading.Barrier(len(parts), timeout=MAX_WAIT_SECONDS)

    def work(partitions: tuple[int, ...]) -> None:
        with open_server(clickhouse_url) as own:
            together.wait()
            Projector(books, InsertsTwice(own), FIRST_EDITION, batch_bytes=SMALL_BATCH, partitions=partitions).project()

    at_once(*(lambda part=part: work(part) for part in parts))
    doubled = store.rows("SELECT count() AS rows, uniqExact(member_id, seq, n) AS ids FROM tallybook_rows.ledger")
    assert int(str(doubled[0]["rows"])) >= 2 * int(str(doubled[0]["ids"]))  # nothing was merged meanwhile
    assert answers(store) == undisturbed
    assert not [found for found in run_audits(store) if found.rows]


def at_once(*calls: Callable[[], object]) -> None:
    """Run each in a thread; raises what one of them raised."""
    with ThreadPoolExecutor(len(calls)) as pool:
        for done in [pool.submit(call) for call in calls]:
            done.result(MAX_WAIT_SECONDS)


class CallsBeforeStatement(CallsBefore):
    """Before one of its statements (counted from 0), somebody else does something."""

    def command(self, statement: str, parameters: Parameters | None = None) -> None:
        self._insert(lambda: self.store.command(statement, parameters))


@pytest.mark.long
@pytest.mark.usefixtures("_dropped_afterwards")
def test_two_migrations_at_once_leave_what_one_leaves(store: ClickHouse, clickhouse_url: str) -> None:
    alone = made(store)
    for moment in range(0, len(sql_files("migrations")) + len(sql_files("views")) + 2, 7):
        drop_all(clickhouse_url)
        migrate(CallsBeforeStatement(store, moment, lambda: migrate_anew(clickhouse_url)))
        assert made(store) == alone, f"the other came before statement {moment}"
    for _ in range(2):
        drop_all(clickhouse_url)
        at_once(*[lambda: migrate_anew(clickhouse_url)] * 3)
        assert made(store) == alone


def migrate_anew(url: str) -> None:
    with open_server(url) as own:
        migrate(own)


def made(store: ClickHouse) -> list[list[Row]]:
    """Tables, views and notes."""
    return [
        store.rows("SELECT number, name, sha256 FROM tallybook_rows.migrations FINAL ORDER BY number"),
        store.rows("SELECT name, sha256, version FROM tallybook_rows.reader_views FINAL ORDER BY name"),
        store.rows(
            "SELECT database, name, create_table_query FROM system.tables "
            "WHERE database IN ('tallybook', 'tallybook_rows') ORDER BY ALL"
        ),
    ]
