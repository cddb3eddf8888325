"""Instants: what RFC 3339 allows and nothing else, and a complaint that says what to change."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.instants import EARLIEST_MS, LATEST_MS, NoInstant, format_instant, parse_instant

NOON = 1_794_312_000_000


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-10T12:00:00Z", NOON),
        ("2026-11-10t12:00:00z", NOON),
        ("2026-11-10 12:00:00Z", NOON),
        ("2026-11-10T13:00:00+01:00", NOON),
        ("2026-11-10T06:30:00-05:30", NOON),
        ("2026-11-10T12:00:00-00:00", NOON),
        ("2026-11-11T11:59:00+23:59", NOON),
        ("2026-11-10T12:00:00.5Z", NOON + 500),
        ("2026-11-10T12:00:00.123456789Z", NOON + 123),
        ("2026-11-10T13:00:00.999999999+01:00", NOON + 999),
        ("2026-11-10T12:00:00.000999Z", NOON),
        ("1969-12-31T23:59:59.9995Z", -1),
        ("2026-11-10 13:00:00.123456+01", NOON + 123),  # PostgreSQL
        ("2026-11-10 12:00:00+00", NOON),
        ("2026-11-10 07:00:00 -0500", NOON),  # Shopify
        ("2026-11-10T13:00:00+0100", NOON),
        ("2026-11-10T17:30+05:30", NOON),  # Java leaves out seconds that are 0
        ("2026-11-10T12:00Z", NOON),
        ("2026-11-10T13:00+01:00[Europe/Berlin]", NOON),  # the offset decides
        ("2026-11-10 12:00:00 UTC", NOON),
        ("2026-11-10T12:00:00,5Z", NOON + 500),  # ISO 8601 would rather have a comma
        ("2024-02-29T00:00:00Z", 1_709_164_800_000),
        ("0001-01-01T00:00:00Z", EARLIEST_MS),
        ("9999-12-31T23:59:59.999Z", LATEST_MS),
    ],
)
def test_text_names_an_instant(text: str, at: int) -> None:
    assert parse_instant(text) == at


@pytest.mark.parametrize("at", [0, -1, NOON, EARLIEST_MS, LATEST_MS])
def test_a_number_is_milliseconds(at: int) -> None:
    assert parse_instant(at) == at


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("2026-11-10T12:00:00", "has no zone"),
        ("2026-11-10 12:00:00.5", "has no zone"),
        ("2026-11-10T12:00", "has no zone"),
        ("2026-11-10", "is a date only"),
        ("2026-12-31T23:59:60Z", "send second 59"),
        ("2017-01-01T00:59:60.5+01:00", "send second 59"),
        ("1794312000000", "without them"),
        ("2026-02-30T12:00:00Z", "does not exist"),
        ("2026-13-01T12:00:00Z", "does not exist"),
        ("2026-11-10T24:00:00Z", "does not exist"),
        ("2026-11-10T12:60:00Z", "does not exist"),
        ("2026-11-10T12:00:00+24:00", "does not exist"),
        ("2026-11-10T12:00:00+01:60", "does not exist"),
        ("0000-01-01T00:00:00Z", "does not exist"),
        ("0001-01-01T00:00:00+00:01", "does not exist"),
        ("9999-12-31T23:59:59-00:01", "does not exist"),
        ("", "is not written as"),
        ("yesterday", "is not written as"),
        ("2026-11-10T12:00:00+2500", "does not exist"),
        ("2026-11-10T12:00:00 CET", "is not written as"),
        ("2026-11-10T12:00:00+01:00:00", "is not written as"),
        ("2026-11-10T12:00:00.Z", "is not written as"),
        ("2026-11-10T12:00:00.+01:00", "is not written as"),
        ("2026-11-10T12:00:00.1234567890Z", "is not written as"),
        ("2026-11-10T12:00:00.12 45Z", "is not written as"),
        ("2026-11-10_12:00:00Z", "is not written as"),
        ("2026-W46-2T12:00:00Z", "is not written as"),
        ("20261110T120000Z", "is not written as"),
        ("2026-11-10T12:00:00Z ", "is not written as"),
        (" 2026-11-10T12:00:00Z", "is not written as"),
        ("2026-11-10T12:00:00Z\n", "is not written as"),
        ("２０２６-11-10T12:00:00Z", "is not written as"),  # noqa: RUF001 - these are not the digits that RFC 3339 means
        ("2026-11-10T12:00:00Z" * 1_000, "is not written as"),
    ],
)
def test_text_that_names_none_is_told_what_to_change(text: str, complaint: str) -> None:
    with pytest.raises(NoInstant, match=complaint) as found:
        parse_instant(text)
    assert len(str(found.value)) < 300
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (1.5, "whole number"),
        (float("nan"), "whole number"),
        (True, "must be text"),
        (None, "must be text"),
        ([], "must be text"),
        (b"2026-11-10T12:00:00Z", "must be text"),
        (LATEST_MS + 1, "no number of milliseconds"),
        (EARLIEST_MS - 1, "no number of milliseconds"),
        (10**40, "a huge number"),
        (-(10**40), "a huge number"),
    ],
)
def test_other_values_are_told_what_to_change(value: object, complaint: str) -> None:
    with pytest.raises(NoInstant, match=complaint):
        parse_instant(value)


@given(st.integers(EARLIEST_MS, LATEST_MS))
def test_what_is_formatted_is_parsed(at: int) -> None:
    assert parse_instant(format_instant(at)) == at


@given(st.integers(0, 4_000_000_000_000), st.integers(-1439, 1439), st.sampled_from(["T", "t", " "]))
def test_any_offset_is_the_same_instant(at: int, minutes: int, separator: str) -> None:
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)).astimezone(
        timezone(timedelta(minutes=minutes))
    )
    assert parse_instant(local.isoformat(separator, timespec="milliseconds")) == at


@given(st.text(alphabet="0123456789-:.+TZz ,W\n", max_size=40))
def test_any_text_is_an_instant_or_a_complaint(text: str) -> None:
    try:
        at = parse_instant(text)
    except NoInstant:
        return
    assert parse_instant(format_instant(at)) == at


@pytest.mark.parametrize(
    ("at", "text"),
    [(NOON, "2026-11-10T12:00:00Z"), (NOON + 5, "2026-11-10T12:00:00.005Z"), (-1, "1969-12-31T23:59:59.999Z")],
)
def test_format_is_utc_and_short(at: int, text: str) -> None:
    assert format_instant(at) == text
