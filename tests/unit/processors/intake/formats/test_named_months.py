"""Times of tables in words of several languages, and times that are seconds since 1970."""

from pathlib import Path

import pytest

from processors.intake.formats.clock import Clock
from processors.intake.mapping import MappingRefused, parse_mapping
from processors.intake.refusal import Problem
from schemas.facts import ReviewSubmitted
from schemas.instants import format_instant
from tests.support.fact_samples import HEADER, ORDERS, facts, mapping, read_file


def instant(cell: object) -> str:
    at = Clock("Europe/Berlin").instant(cell, "time")
    assert at is not None
    return format_instant(at)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Sun, 01 Nov 2026 09:15:00 GMT", "2026-11-01T09:15:00Z"),  # the web's own, and PHP's date('r')
        ("Sun, 01 Nov 2026 09:15:00 +0100", "2026-11-01T08:15:00Z"),
        ("Sun Nov 01 2026 09:15:00 GMT+0100 (Central European Standard Time)", "2026-11-01T08:15:00Z"),  # JavaScript
        ("01-NOV-26 09.15.00.000000000 AM", "2026-11-01T08:15:00Z"),  # Oracle
        ("1-Nov-2026 21:15", "2026-11-01T20:15:00Z"),
        ("Nov 1, 2026, 9:15:00 PM", "2026-11-01T20:15:00Z"),
        ("November 1, 2026 at 9:15 AM", "2026-11-01T08:15:00Z"),
        ("1. November 2026, 09:15 Uhr", "2026-11-01T08:15:00Z"),
        ("1. Dez. 2026", "2026-11-30T23:00:00Z"),
        ("14 juil. 2026 10:00", "2026-07-14T08:00:00Z"),
        ("14 juin 2026 10:00", "2026-06-14T08:00:00Z"),
        ("1 de noviembre de 2026 9:15", "2026-11-01T08:15:00Z"),
    ],
)
def test_dates_whose_month_has_a_name(written: str, expected: str) -> None:
    assert instant(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026年11月1日 9時15分", "2026-11-01T08:15:00Z"),
        ("2026年11月1日 午後9時15分30秒", "2026-11-01T20:15:30Z"),
        ("2026. 11. 1. 오전 9:15:00", "2026-11-01T08:15:00Z"),
        ("2026. 11. 1.", "2026-10-31T23:00:00Z"),
        ("2026년 11월 1일 오후 9시 15분", "2026-11-01T20:15:00Z"),
        ("2026/11/1 下午 09:15:00", "2026-11-01T20:15:00Z"),
        ("2026年11月1日 9點15分", "2026-11-01T08:15:00Z"),
    ],
)
def test_dates_as_chinese_japanese_and_korean_programs_write_them(written: str, expected: str) -> None:
    assert instant(written) == expected


def test_a_rating_with_a_half_is_refused_unless_a_rounding_is_named(tmp_path: Path) -> None:
    settings = {
        "type": "ReviewSubmitted",
        "source": "shop",
        "timezone": "UTC",
        "fields": {"event_id": "id", "occurred_at": "time", "member_id": "member", "sku": "sku", "rating": "stars"},
    }
    content = "id,time,member,sku,stars\n1,2026-11-01 09:15:00,anna,a,4.5\n"
    (read,) = read_file(tmp_path / "reviews.csv", content, parse_mapping(settings))
    assert read.refusal is not None
    assert read.refusal.message.endswith("rounding: {rating: half_up}")
    rounded = parse_mapping(settings | {"rounding": {"rating": "half_up"}})
    (fact,) = facts(read_file(tmp_path / "reviews.csv", content, rounded))
    assert isinstance(fact, ReviewSubmitted)
    assert fact.rating == 5


@pytest.mark.parametrize("written", ["31 Nov 2026 09:15", "1 Foo 2026", "Nov 2026", "1 Nov", "1 jui 2026"])
def test_days_and_months_that_do_not_exist_are_refused(written: str) -> None:
    with pytest.raises(Problem, match="in column 'time'"):
        instant(written)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ("1762000000", "2025-11-01T12:26:40Z"),
        ("1762000000.5", "2025-11-01T12:26:40.500Z"),
        (1762000000, "2025-11-01T12:26:40Z"),
        (1762000000.25, "2025-11-01T12:26:40.250Z"),
    ],
)
def test_seconds_since_1970_are_read_where_the_mapping_says_so(seconds: object, expected: str) -> None:
    at = Clock(None, is_seconds=True).instant(seconds, "created")
    assert at is not None
    assert format_instant(at) == expected


@pytest.mark.parametrize("cell", ["2026-11-01 09:15:00", "1762000000000", 1762000000000, 5, "-5", True])
def test_what_is_no_number_of_seconds_is_refused_where_the_mapping_asks_for_them(cell: object) -> None:
    with pytest.raises(Problem, match="no number of seconds since 1970"):
        Clock("UTC", is_seconds=True).instant(cell, "created")


def test_seconds_since_1970_are_refused_where_it_does_not_and_the_message_says_how_to_say_so() -> None:
    with pytest.raises(Problem, match=r"scale: \{occurred_at: 1000\}"):
        Clock("UTC").instant("1762000000", "created")


def test_a_mapping_of_times_in_seconds(tmp_path: Path) -> None:
    how = mapping(scale={"occurred_at": 1000, "amount_minor": 100})
    (fact,) = facts(read_file(tmp_path / "payments.csv", HEADER + "1,anna,1762000000,a,5.00\n", how))
    assert format_instant(fact.occurred_at) == "2025-11-01T12:26:40Z"


@pytest.mark.parametrize(("scale", "column"), [(100, "time"), (1_000, ["time", "member"])])
def test_a_scale_of_times_is_for_seconds_in_one_column(scale: int, column: object) -> None:
    fields = ORDERS["fields"] | {"occurred_at": column}
    with pytest.raises(MappingRefused, match=r"scale\.occurred_at"):
        mapping(scale={"occurred_at": scale, "amount_minor": 100}, fields=fields)
