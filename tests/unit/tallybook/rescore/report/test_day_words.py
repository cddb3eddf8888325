"""Days and periods as people write them, on the programme's own clock."""

import pytest

from processors.decider.local_time import Zone
from processors.zones import zone_data
from schemas.instants import parse_instant
from tallybook.rescore.report.day_words import ending, last_day, moment, period

BERLIN = Zone("Europe/Berlin", zone_data("Europe/Berlin"))


def at(text: str) -> int:
    return parse_instant(text)


def test_midnight_begins_a_day_and_ends_the_one_before() -> None:
    midnight = at("2026-06-30T22:00:00Z")  # on the clocks of Berlin
    assert moment(BERLIN, midnight) == "1 July 2026"
    assert ending(BERLIN, midnight) == last_day(BERLIN, midnight) == "30 June 2026"


def test_any_other_minute_is_said() -> None:
    evening = at("2026-12-31T22:01:20Z")
    assert moment(BERLIN, evening) == ending(BERLIN, evening) == "31 December 2026, 23:01"
    assert last_day(BERLIN, evening) == "31 December 2026"


@pytest.mark.parametrize(
    ("from_at", "until_at", "said"),
    [
        ("2026-06-30T22:00:00Z", "2026-12-31T23:00:00Z", "1 July to 31 December 2026"),
        ("2025-06-30T22:00:00Z", "2026-12-31T22:01:00Z", "1 July 2025 to 31 December 2026, 23:01"),
        ("2026-07-01T10:00:00Z", "2026-07-02T22:00:00Z", "1 July 2026, 12:00 to 2 July 2026"),
    ],
)
def test_a_period_names_a_common_year_once(from_at: str, until_at: str, said: str) -> None:
    assert period(BERLIN, at(from_at), at(until_at)) == said
