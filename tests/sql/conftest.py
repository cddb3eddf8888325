"""An embedded ClickHouse that is empty for each test, and one with the small programme for all that only read it."""

from collections.abc import Iterator

import pytest

from projections.clickhouse.client import ClickHouse, open_chdb
from projections.clickhouse.migrate import migrate
from projections.projector import project
from projections.store import Store
from schemas.posting import FIRST_EDITION
from tests.fakes.list_books import ListBooks
from tests.integration.clickhouses import clickhouse_url
from tests.sql.bookkeeper import small_programme
from tests.sql.projected_books import answers, as_new, empty, in_small_records, rescored

__all__ = ["clickhouse_url"]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    """Open for all tests of a module, which therefore open no other; making the tables takes longer than most tests."""
    with open_chdb(tmp_path_factory.mktemp("store") / "clickhouse") as store:
        yield store


@pytest.fixture
def store(opened: ClickHouse) -> ClickHouse:
    """Migrated and empty; no part is merged behind a test's back."""
    as_new(opened)
    return opened


@pytest.fixture(scope="module")
def programme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    """The small programme, projected; for tests that only read, in modules that do not use `store`."""
    with open_chdb(tmp_path_factory.mktemp("programme") / "clickhouse") as store:
        migrate(store)
        project(small_programme().books(), store, FIRST_EDITION)
        rescored(store)
        yield store


@pytest.fixture
def step() -> int:
    """Of the moments at which a projection is cut or met by another, every so many are tried on real tables.

    All of them are tried on a store in memory (tests/unit/projections/test_projecting.py), which keeps the same rows
    (tests/contract/test_fake_store.py).
    """
    return 3


@pytest.fixture
def books() -> ListBooks:
    """The small programme in many small records."""
    return in_small_records(small_programme().books())


@pytest.fixture(scope="session")
def said_once() -> dict[str, list[bytes]]:
    """What the views said when the first test asked, for all others: it takes longer than most of them."""
    return {}


@pytest.fixture
def undisturbed(store: Store, books: ListBooks, said_once: dict[str, list[bytes]]) -> dict[str, list[bytes]]:
    """What the views say of the books after one quiet projection; the tables are empty."""
    if not said_once:
        project(books, store, FIRST_EDITION)
        said_once.update(answers(store))
        empty(store)
    return said_once
