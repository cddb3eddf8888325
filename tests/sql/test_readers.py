"""What the command line is told about the small programme."""

from datetime import date

import pytest

from projections.answers import queries as readers
from projections.answers.queries import Balance, Period, Place
from projections.clickhouse.client import ClickHouse
from projections.sql_files import sql_files
from tests.sql.bookkeeper import END_OF_JUNE, LAST_TICK, ms


def test_the_balance_of_a_member(programme: ClickHouse) -> None:
    assert readers.balance(programme, "ann") == Balance(
        "ann", 525, 10, ms("2026-07-02T00:00"), "ClockTicked", ms(LAST_TICK)
    )
    assert readers.balance(programme, "nobody") is None


@pytest.mark.parametrize("member", ["' OR 1 = 1 --", "ann' --", "\\", "{member:String}", "%s", "é\u0000ü", ""])
def test_what_a_person_types_is_never_part_of_the_query(programme: ClickHouse, member: str) -> None:
    assert readers.balance(programme, member) is None
    assert readers.statement(programme, member) == []


def test_a_statement_ends_with_the_last_entry(programme: ClickHouse) -> None:
    lines = readers.statement(programme, "ann", limit=3)
    assert [(line.seq, line.n, line.points, line.balance_after) for line in lines] == [
        (9, 1, 10, 605),
        (10, 1, -30, 575),
        (10, 2, -50, 525),
    ]
    assert lines[-1].effective_at == ms(END_OF_JUNE)
    assert lines[-1].entry_id == f"due:expire:ann/5:{ms(END_OF_JUNE)}"
    assert len(readers.statement(programme, "ann")) == 9
    late = readers.statement(programme, "bob")[-1]
    assert (late.late, late.occurred_at, late.rule_id) == (True, ms("2026-01-20T10:00"), "base")


def test_lots_stand_in_the_order_in_which_they_would_be_spent(programme: ClickHouse) -> None:
    assert [(lot.lot, lot.remaining) for lot in readers.lots(programme, "ann")] == [
        (2, 5),
        (3, 5),
        (4, 5),
        (6, 500),
        (7, 10),
    ]
    every = readers.lots(programme, "ann", open_only=False)
    assert [(lot.lot, lot.points, lot.remaining) for lot in every[:2]] == [(1, 30, 0), (5, 50, 0)]
    assert every[0].last_day == date(2026, 6, 30)
    (dans,) = readers.lots(programme, "dan")
    assert (dans.expires_at, dans.last_day, dans.order_id) == (
        ms("2027-06-30T22:00"),
        date(2027, 6, 30),
        f"order-{dans.event_id}",
    )


def test_members_come_in_pages(programme: ClickHouse) -> None:
    first = readers.members(programme, limit=2)
    assert [member.member_id for member in first] == ["ann", "bob"]
    rest = readers.members(programme, after="bob", limit=2)
    assert [(member.member_id, member.opened_on, member.opened_by) for member in rest] == [
        ("cat", date(2026, 2, 1), "ReferralMade"),
        ("dan", date(2026, 7, 1), "PurchaseRecorded"),
    ]
    assert readers.members(programme, after="dan") == []


@pytest.mark.parametrize(
    ("period", "at", "store_id", "expected"),
    [
        (Period.DAY, date(2026, 1, 10), "", [("ann", 5), ("bob", 5)]),  # at the same instant: the id decides
        (Period.WEEK, date(2026, 1, 11), "", [("ann", 95), ("bob", 45)]),
        (Period.MONTH, date(2026, 1, 31), "", [("ann", 95), ("bob", 55)]),
        (Period.MONTH, date(2026, 1, 31), "s2", [("bob", 50)]),
        (Period.MONTH, date(2026, 6, 30), "", []),
        (Period.MONTH, date(2026, 7, 31), "", [("dan", 5)]),
        (Period.YEAR, date(2026, 7, 1), "", [("ann", 605), ("cat", 265), ("bob", 55), ("dan", 5)]),
        (Period.YEAR, date(2025, 12, 31), "", []),
        # Bob had his five points long before Dan.
        (Period.EVER, date(2026, 7, 1), "s1", [("ann", 55), ("cat", 15), ("bob", 5), ("dan", 5)]),
    ],
)
def test_leaderboards(
    programme: ClickHouse, period: Period, at: date, store_id: str, expected: list[tuple[str, int]]
) -> None:
    board = readers.leaderboard(programme, period, at, store_id)
    assert [(place.member_id, place.earned) for place in board.places] == expected
    assert [place.rank for place in board.places] == list(range(1, len(expected) + 1))
    assert board.starts_on <= at < board.ends_before


def test_the_leaderboard_of_today_is_that_of_the_last_tick(programme: ClickHouse) -> None:
    assert readers.leaderboard(programme).starts_on == date(2026, 12, 1)
    assert readers.leaderboard(programme).places == []
    assert readers.leaderboard(programme, Period.YEAR, limit=1).places == [Place(1, "ann", 605, ms("2026-03-01T10:00"))]


def test_the_view_and_the_reader_agree_on_every_leaderboard(programme: ClickHouse) -> None:
    boards = programme.rows("SELECT DISTINCT period, starts_on, store_id FROM tallybook.leaderboard")
    assert len(boards) > 20
    for board in boards:
        asked = "period = {period:String} AND starts_on = {starts_on:Date32} AND store_id = {store_id:String}"
        rows = programme.rows(f"SELECT * FROM tallybook.leaderboard WHERE {asked} ORDER BY rank", board)
        at = board["starts_on"]
        assert isinstance(at, date)
        read = readers.leaderboard(programme, Period(str(board["period"])), at, str(board["store_id"]), 100)
        assert [(row["rank"], row["member_id"], row["earned"]) for row in rows] == [
            (place.rank, place.member_id, place.earned) for place in read.places
        ]


@pytest.mark.parametrize(
    ("period", "day", "first", "after"),
    [
        (Period.WEEK, date(2026, 1, 4), date(2025, 12, 29), date(2026, 1, 5)),
        (Period.WEEK, date(2026, 1, 5), date(2026, 1, 5), date(2026, 1, 12)),
        (Period.MONTH, date(2024, 2, 29), date(2024, 2, 1), date(2024, 3, 1)),
        (Period.MONTH, date(2025, 12, 31), date(2025, 12, 1), date(2026, 1, 1)),
        (Period.YEAR, date(2024, 2, 29), date(2024, 1, 1), date(2025, 1, 1)),
        (Period.DAY, date(2024, 2, 29), date(2024, 2, 29), date(2024, 3, 1)),
    ],
)
def test_the_span_of_a_period(period: Period, day: date, first: date, after: date) -> None:
    assert readers.span(period, day) == (first, after)


@pytest.mark.parametrize("day", [date(1969, 12, 31), date(2299, 1, 1), date(9999, 12, 31)])
def test_a_date_that_clickhouse_cannot_hold_is_refused(day: date) -> None:
    with pytest.raises(ValueError, match="lies between"):
        readers.span(Period.YEAR, day)


def test_progress_tells_how_far_each_book_is(programme: ClickHouse) -> None:
    lines = readers.progress(programme)
    assert [(line.book, line.edition, line.partition) for line in lines] == [
        *(("journal", "", partition) for partition in range(3)),
        *(("ledger", "0001", partition) for partition in range(3)),
        ("rejects", "", 0),
    ]
    assert sum(line.records for line in lines if line.book == "ledger") == 19
    assert {line.as_of for line in lines} == {ms(LAST_TICK)}


@pytest.mark.parametrize("limit", [0, -1, readers.MAX_LINES + 1])
def test_a_limit_is_bounded(programme: ClickHouse, limit: int) -> None:
    with pytest.raises(ValueError, match="a limit is between 1 and 100,000"):
        readers.members(programme, limit=limit)


def test_readers_take_input_as_parameters_only() -> None:
    for reader in sql_files("answers"):
        assert "%" not in reader.statement
        assert reader.comment, f"{reader.name}.sql does not say what it answers"
