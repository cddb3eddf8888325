"""Local dates are those of the books, whatever ClickHouse's own zone tables say; and sums of points do not overflow."""

from datetime import date, timedelta

import pytest

from projections.answers import queries as readers
from projections.answers.queries import Period
from projections.clickhouse.client import ClickHouse
from projections.projector import project
from projections.sql_files import sql_file
from schemas.bounds import MAX_EARNED_POINTS
from schemas.facts import PurchaseLine
from schemas.posting import FIRST_EDITION
from tests.sql.bookkeeper import Bookkeeper
from tests.sql.projected_books import empty

# Where the pinned zone data says that this date has begun, and older data that it has not: see the instant below.
WINNIPEG = "America/Winnipeg"


def projected(store: ClickHouse, keeper: Bookkeeper) -> ClickHouse:
    project(keeper.books(), store, FIRST_EDITION)
    return store


def test_the_leaderboard_of_the_day_has_the_points_of_the_day(store: ClickHouse) -> None:
    """At half past five in the night UTC one copy of the zone data has another date than the other."""
    keeper = Bookkeeper(zone=WINNIPEG)
    keeper.purchase("bert", "2026-11-15T05:30", earned={"base": 10})
    keeper.purchase("anna", "2026-11-30T05:30", earned={"base": 10})
    keeper.tick("2026-11-30T05:31")
    projected(store, keeper)
    board = readers.leaderboard(store, Period.DAY)
    assert [(place.member_id, place.earned) for place in board.places] == [("anna", 10)]
    days = store.rows("SELECT DISTINCT local_day FROM tallybook.ledger WHERE member_id = 'anna'")
    assert [row["local_day"] for row in days] == [board.starts_on]


@pytest.mark.parametrize(
    ("zone", "at", "day", "is_midnight"),
    [
        ("Europe/Berlin", "2026-03-28T22:59:59.999", date(2026, 3, 28), False),
        ("Europe/Berlin", "2026-03-28T23:00", date(2026, 3, 29), True),
        ("Europe/Berlin", "2026-03-29T21:59:59.999", date(2026, 3, 29), False),
        ("Europe/Berlin", "2026-03-29T22:00", date(2026, 3, 30), True),
        ("Pacific/Chatham", "2026-11-01T10:14:59.999", date(2026, 11, 1), False),
        ("Pacific/Chatham", "2026-11-01T10:15", date(2026, 11, 2), True),
        ("America/Havana", "2027-11-07T03:59:59.999", date(2027, 11, 6), False),
        ("America/Havana", "2027-11-07T04:00", date(2027, 11, 7), True),
        ("UTC", "1970-01-01T00:00", date(1970, 1, 1), True),
        ("Asia/Kolkata", "2199-12-31T18:30", date(2200, 1, 1), True),
        ("America/New_York", "2150-07-02T03:59:59.999", date(2150, 7, 1), False),
    ],
)
def test_dates_of_facts_members_and_lots_are_those_of_the_published_zone(
    store: ClickHouse, zone: str, at: str, day: date, *, is_midnight: bool
) -> None:
    empty(store)
    keeper = Bookkeeper(1, zone)
    keeper.purchase("ann", at, earned={"base": 5}, expires="2290-01-01T00:00")
    keeper.purchase(None, at)
    projected(store, keeper)
    assert [row["occurred_on"] for row in store.rows("SELECT occurred_on FROM tallybook.facts")] == [day, day]
    assert store.rows("SELECT opened_on FROM tallybook.members") == [{"opened_on": day}]
    assert store.rows("SELECT local_day, last_day FROM tallybook.ledger") == [
        {"local_day": day, "last_day": day - timedelta(days=1) if is_midnight else day}
    ]


def test_the_zone_of_the_latest_rules_counts_and_without_rules_it_is_utc(store: ClickHouse) -> None:
    assert store.rows("SELECT * FROM tallybook.facts") == []
    keeper = Bookkeeper(2, "Asia/Kolkata")
    keeper.purchase("ann", "2026-11-01T18:30", earned={"base": 5})
    projected(store, keeper)
    assert store.rows("SELECT occurred_on FROM tallybook.facts") == [{"occurred_on": date(2026, 11, 2)}]
    store.command("TRUNCATE TABLE tallybook_rows.zone_changes")
    assert store.rows("SELECT occurred_on FROM tallybook.facts") == [{"occurred_on": date(2026, 11, 1)}]
    # As an earlier version left the tables: the journal is read once more.
    projected(store, keeper)
    assert store.rows("SELECT occurred_on FROM tallybook.facts") == [{"occurred_on": date(2026, 11, 2)}]
    assert project(keeper.books(), store, FIRST_EDITION).facts == 0


def test_three_accounts_with_all_that_they_may_earn_add_up(store: ClickHouse) -> None:
    keeper = Bookkeeper()
    for member in ("ann", "bob", "cat"):
        keeper.purchase(member, "2026-11-01T10:00", earned={"base": MAX_EARNED_POINTS}, lines=(PurchaseLine("a", 1),))
    projected(store, keeper)
    for question, column in (("points_by_month", "outstanding"), ("cost_by_rule", "points")):
        (row,) = store.rows(sql_file("questions", question).statement)
        assert int(str(row[column])) == 3 * MAX_EARNED_POINTS, question
