"""The changes of a zone's clocks are those of its published data, at every instant that the tables can hold."""

from bisect import bisect_right
from datetime import UTC, datetime
from io import BytesIO
from random import Random
from zoneinfo import ZoneInfo

import pytest

from books.encoded_blocks import EncodedBlock, bodies_of
from processors.zones import zone_data
from projections.zone_changes import changes_of, zone_rows
from schemas.facts import CheckedIn, RulesetPublished
from schemas.pages import JournalLine, JournalPage

LAST = int(datetime(2299, 12, 30, tzinfo=UTC).timestamp())
ZONES = ("America/Winnipeg", "Europe/Berlin", "Africa/Casablanca", "Australia/Lord_Howe", "Asia/Kolkata", "UTC")


@pytest.mark.parametrize("timezone", ZONES)
def test_clocks_are_ahead_as_far_as_the_zone_says(timezone: str) -> None:
    data = zone_data(timezone)
    zone, rng = ZoneInfo.from_file(BytesIO(data)), Random(timezone)
    changed_at, shift_ms = changes_of(data)
    assert changed_at == sorted(set(changed_at))
    assert changed_at[0] == 0
    beside = [at // 1000 + by for at in changed_at for by in (-1, 0, 1, 3600) if at]
    for at in [0, LAST, *rng.sample(beside, min(len(beside), 400)), *(rng.randrange(LAST) for _ in range(400))]:
        expected = datetime.fromtimestamp(at, zone).utcoffset()
        assert expected is not None
        assert shift_ms[bisect_right(changed_at, at * 1000) - 1] == expected.total_seconds() * 1000, at


def test_a_publication_makes_a_row_and_other_facts_make_none() -> None:
    published = RulesetPublished("1", "ab", 5, 1, "", "UTC", zone_data("UTC"))
    visit = JournalLine(CheckedIn("app", "TZif", 1, "ann"), 1, "ann")
    pages = [JournalPage(7, (visit,)), JournalPage(8, (visit, JournalLine(published, 1)))]
    found = zone_rows([(3, EncodedBlock(9, 2, bodies_of(pages)))])
    assert found == {
        "effective_from": [5],
        "partition": [3],
        "page": [8],
        "line": [1],
        "timezone": ["UTC"],
        "changed_at": [[0]],
        "shift_ms": [[0]],
    }
    assert zone_rows([(3, EncodedBlock(9, 1, bodies_of(pages[:1])))]) is None
