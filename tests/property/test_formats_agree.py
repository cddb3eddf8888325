"""The same events are the same facts whatever file they stand in, however a machine wrote their values."""

import json
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.intake.door import admit, admit_json
from schemas.canonical import content_hash
from schemas.facts import FREE_TEXTS, PUBLISHED_TYPES, PublishedFact
from scripts.event_files import FORMATS, Event, cloud_events
from tests.support.fact_samples import AT, EVENTS, admitted

FEW = 10  # each example writes and reads six files
# A letter begins each text, as spreadsheets put marks of their own before what is no word.
LETTERS = string.ascii_letters + "äß員日😀é"
BLANKS = st.sampled_from(["", "", "", " ", "  ", "\t", "\u3000", "\u00a0", " \r\n"])
WORDS = st.builds(
    str.__add__, st.sampled_from(LETTERS), st.text(LETTERS + string.digits + "-_.:,;/|'\"\\", max_size=12)
)
IDS = st.builds(lambda before, word, after: before + word + after, BLANKS, WORDS, BLANKS)
BREAKS = st.sampled_from([" ", "\n", "\r\n", "\t", "\x0b", "\x1f", "\x7f", "\n\n"])
NOTES = st.builds(lambda one, by, two, after: one + by + two + after, WORDS, BREAKS, WORDS, BLANKS | BREAKS)
NOT_GIVEN = st.sampled_from([None, ""])


def is_whole(name: str) -> bool:
    return name.endswith(("_minor", "_milli")) or name in {"rating", "text_length", "media_count"}


def value_of(name: str) -> st.SearchStrategy[Any]:
    if is_whole(name):
        return st.integers(0, {"rating": 10, "media_count": 1_000}.get(name, 10**7))
    if name == "occurred_at":
        return st.sampled_from([AT, " 2026-11-11T12:11:11.5+01:00"])
    if name == "currency":
        return st.sampled_from(["EUR", " JPY", "KWD "])
    if name == "source":
        return st.sampled_from(["pos", "till-1 ", " shop.web"])
    return NOTES if name in FREE_TEXTS else IDS


def fields_of(names: tuple[str, ...], required: set[str]) -> st.SearchStrategy[Event]:
    given_values = {name: value_of(name) for name in names if name in required}
    optional = {
        name: value_of(name) | (st.none() if is_whole(name) else NOT_GIVEN) for name in names if name not in required
    }
    return st.fixed_dictionaries(given_values, optional=optional)


def events_of(kind: type[PublishedFact]) -> st.SearchStrategy[list[Event]]:
    """A few events of one kind, no two of one id."""
    (sample,) = (event for event in EVENTS if event["type"] == kind.__name__)
    needed = set(sample) - {"type", "lines"} - ({"member_id"} if "lines" in sample else set())
    names = tuple(name for name in kind.__struct_fields__ if name not in {"lines", "attributes"})
    parts: dict[str, Any] = {"head": fields_of(names, needed)}
    parts["attributes"] = st.dictionaries(st.sampled_from(["note", "coupon", "vip"]), NOTES | NOT_GIVEN)
    if "lines" in sample:
        line = fields_of(LINE_NAMES, {"sku", "amount_minor"})
        parts["lines"] = st.lists(line, min_size=1, max_size=3)
    return st.lists(st.fixed_dictionaries(parts).map(lambda drawn: event_of(kind, drawn)), min_size=1, max_size=3)


LINE_NAMES = ("sku", "amount_minor", "quantity_milli", "category", "brand", "discount_minor", "unit_price_minor")


def event_of(kind: type, drawn: dict[str, Any]) -> Event:
    parts: Event = {name: drawn[name] for name in ("attributes", "lines") if drawn.get(name)}
    head: Event = {"type": kind.__name__} | drawn["head"]
    return head | parts


def respelt(events: list[Event], write: Callable[[int], Any]) -> list[Event]:
    """The events with their whole numbers written in another way; a column of Parquet holds one type."""

    def fields(values: Event) -> Event:
        return {name: write(value) if isinstance(value, int) else value for name, value in values.items()}

    parted = [fields(event) | {"lines": [fields(line) for line in event.get("lines", [])]} for event in events]
    return [{name: value for name, value in event.items() if value != []} for event in parted]


def facts_of(read: Any, events: list[Event], folder: Path) -> list[bytes]:
    found = read(events, folder)
    assert [one.refusal for one in found if one.refusal is not None] == []
    return [content_hash(one.fact) for one in found]


def numbered(events: list[Event]) -> list[Event]:
    """The events with ids of their own, the blanks around them kept; referrals are of two members."""
    for number, event in enumerate(events):
        event["event_id"] = f" {number}{event['event_id'].strip()} "
        if "referee_id" in event:
            event["referee_id"] = f"\t{event['referrer_id'].strip()}2"
    return events


@pytest.mark.parametrize("kind", PUBLISHED_TYPES, ids=lambda kind: kind.__name__)
def test_the_same_events_have_the_same_content_in_every_format(kind: type[PublishedFact], tmp_path: Path) -> None:
    @settings(max_examples=FEW)
    @given(events_of(kind), st.sampled_from([int, str, float]))
    def agree(drawn: list[Event], write: Callable[[int], Any]) -> None:
        plain = numbered(drawn)
        expected = facts_of(FORMATS["JSON"], plain, tmp_path)
        events = respelt(plain, write)
        assert len(expected) == len(events)
        for name, read in (FORMATS | {"CloudEvents": cloud_events}).items():
            assert facts_of(read, events, tmp_path) == expected, name

    agree()


@pytest.mark.parametrize("kind", PUBLISHED_TYPES, ids=lambda kind: kind.__name__)
def test_an_admitted_fact_is_admitted_again_as_it_is(kind: type[PublishedFact]) -> None:
    @given(events_of(kind))
    def stays(drawn: list[Event]) -> None:
        for event in numbered(drawn):
            fact = admitted(admit(event))
            again = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
            assert content_hash(admitted(admit_json(again))) == content_hash(fact)

    stays()
