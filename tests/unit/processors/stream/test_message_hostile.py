"""Nothing that a message holds can stop the door, and the hostile corpus gets its reasons in every encoding."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.intake.door import judge_time, without_nulls
from processors.intake.refusal import Refusal
from processors.stream.message_door import MessageDoor
from schemas.avro.contracts import load_schema
from schemas.avro.single_object import MARKER, frame
from schemas.facts import PublishedFact
from tests.fakes.registry import FakeSchemas
from tests.fuzz.mutations import spoil_bytes
from tests.support import hostile
from tests.support.encodings import ENCODINGS, SAMPLES, CannotCarry, as_given, door, told
from tests.support.fact_samples import admitted, refused


def judged(schemas: FakeSchemas | None = None) -> MessageDoor:
    """A door with the clock of the hostile corpus."""
    return MessageDoor(
        schemas or FakeSchemas(),
        judge=lambda fact: judge_time(
            fact, received_at=hostile.NOW, last_tick=hostile.NOW, horizon_ms=hostile.HORIZON_MS, now=hostile.NOW
        ),
    )


def hostile_lines() -> Iterator[tuple[str, bytes, Any]]:
    """The events of the corpus that are one JSON line each, with what they must come to."""
    for path in hostile.corpus():
        expected = json.loads(path.with_suffix(".expected").read_text())
        lines = [line for line in content_lines(path) if line.strip()]
        if path.suffix == ".jsonl" and len(lines) == len(expected.get("outcomes", ())):
            yield from ((path.stem, *pair) for pair in zip(lines, expected["outcomes"], strict=True))


def content_lines(path: Path) -> list[bytes]:
    return path.read_bytes().replace(b"\r\n", b"\n").split(b"\n")


HOSTILE: Final = list(hostile_lines())
MIN_HOSTILE: Final = 120


def test_the_hostile_corpus_is_carried_by_messages() -> None:
    assert len({name for name, _, _ in HOSTILE}) > MIN_HOSTILE


@pytest.mark.parametrize(("name", "line", "expected"), HOSTILE, ids=[name for name, _, _ in HOSTILE])
def test_a_hostile_line_comes_to_the_same_as_a_message(name: str, line: bytes, expected: Any) -> None:
    found = judged().admit(line, {}, "")
    if expected == "good":
        admitted(found)
    else:
        refusal = refused(found)
        assert refusal.reason == ("bad_frame" if line[:1] == b"\0" else expected["reason"]), name
        assert refusal.field == expected.get("field", refusal.field)


def test_a_hostile_event_comes_to_the_same_in_every_encoding_that_can_carry_it() -> None:
    carried: dict[str, int] = dict.fromkeys(ENCODINGS, 0)
    for name, line, _ in HOSTILE:
        try:
            document = json.loads(line, parse_constant=refuse_constant)
        except (ValueError, RecursionError):
            continue
        if not isinstance(document, dict) or json.dumps(document) == "{}" or line.count(b'"') != quotes_of(document):
            continue
        without = without_nulls(document)
        for encoding, encode in ENCODINGS.items():
            schemas = FakeSchemas()
            try:
                value, headers = encode(without, schemas)
            except CannotCarry:
                continue
            expected = judged().admit(json.dumps(without).encode(), {}, "")
            found = judged(schemas).admit(value, headers, "")
            if isinstance(expected, Refusal):
                assert (refused(found).reason, refused(found).field) == (expected.reason, expected.field), (
                    name,
                    encoding,
                )
            else:
                assert told(found) == told(expected), (name, encoding)
            carried[encoding] += 1
    assert min(carried.values()) > 40, carried
    assert carried["self-described"] > 80, carried


def refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def quotes_of(document: Any) -> int:
    """How many quotes a document's JSON has; a line with more of them repeats a key, which no document can."""
    return json.dumps(document).count('"')


@given(st.randoms(use_true_random=False), st.sampled_from(SAMPLES), st.sampled_from(sorted(ENCODINGS)))
def test_a_spoilt_message_never_stops_the_door(chance: random.Random, event: dict[str, Any], encoding: str) -> None:
    schemas = FakeSchemas()
    value, headers = ENCODINGS[encoding](as_given(event), schemas)
    spoilt = value[:1] + spoil_bytes(chance, value[1:])
    assert isinstance(door(schemas).admit(spoilt, headers, "CheckedIn"), Refusal | PublishedFact)


@given(st.binary(max_size=60), st.sampled_from([b"", b"\0", b"\0\0\0\0\1", MARKER, frame("PurchaseRecorded", b"")]))
def test_noise_never_stops_the_door(noise: bytes, start: bytes) -> None:
    schemas = FakeSchemas()
    schemas.register(load_schema("PurchaseRecorded") | {"namespace": "shop"})
    assert isinstance(door(schemas).admit(start + noise, {}, "CheckedIn"), Refusal | PublishedFact)


ODD_SCHEMA: Final = {
    "type": "record",
    "name": "CheckedIn",
    "fields": [
        {"name": "a", "type": "float"},
        {"name": "b", "type": "double"},
        {"name": "c", "type": {"type": "fixed", "name": "F", "size": 3}},
        {"name": "d", "type": {"type": "enum", "name": "E", "symbols": ["X", "Y"]}},
        {"name": "e", "type": "boolean"},
        {"name": "f", "type": "bytes"},
        {
            "name": "attributes",
            "type": ["null", {"type": "map", "values": ["null", "string", "long"]}],
            "default": None,
        },
        {"name": "g", "type": {"type": "long", "logicalType": "local-timestamp-micros"}},
    ],
}


@given(st.binary(max_size=60))
def test_noise_under_an_odd_schema_never_stops_the_door(noise: bytes) -> None:
    schemas = FakeSchemas()
    value = b"\0" + schemas.register(ODD_SCHEMA).to_bytes(4, "big") + noise
    assert refused(door(schemas).admit(value, {}, "CheckedIn")).reason in {"bad_frame", "malformed", "missing_field"}
