"""Whatever a publisher sends, in whichever encoding and to whichever topic, is kept as a reject, and stops nothing."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from itertools import count
from typing import Final

import pytest

from processors.intake.input_records import MAX_KEPT_BYTES
from processors.intake.refusal import Refusal
from processors.stream.message_door import NO_REGISTRY
from processors.stream.registry import RegistrySchemas
from processors.stream.rejects import MAX_HEADERS_BYTES, MAX_KEY_BYTES
from schemas.bounds import MAX_EVENT_BYTES
from schemas.pages import Reject
from schemas.topics import REJECT_BYTES
from tests.fakes.registry import FakeRegistry, FakeSchemas, served
from tests.integration.streams import Deployment, Message, take_in
from tests.support import hostile
from tests.support.encodings import ENCODINGS, CannotCarry
from tests.support.fact_samples import CHECK_IN
from tests.support.waiting import wait_for
from tests.unit.processors.stream.test_message_hostile import HOSTILE, judged, quotes_of, refuse_constant

CARRIED_IN: Final = ("cloud-event", "cloud-event-in-headers", "single-object", "confluent", "self-described")
GOOD_IN: Final = ("json", "cloud-event", "single-object", "confluent")
MIN_REFUSED: Final = 1_500
_numbers = count(1)

# A header whose name is no text; no client that minds the protocol sends one.
ODD_NAME: Final = """
import asyncio, sys
from aiokafka import AIOKafkaProducer

class Odd(str):
    def encode(self, *_):
        return b"odd-\\xff"

async def send():
    producer = AIOKafkaProducer(bootstrap_servers=sys.argv[1])
    await producer.start()
    headers = [("case", b"odd"), (Odd("odd"), b"1")]
    await producer.send_and_wait(sys.argv[2], sys.argv[3].encode(), timestamp_ms=int(sys.argv[4]), headers=headers)
    await producer.stop()

asyncio.run(send())
"""


@pytest.fixture
def stream(bootstrap: str, deployment: str) -> Deployment:
    made = Deployment(bootstrap, deployment)
    made.tick(hostile.NOW)
    return made


def good(topic: str, schemas: FakeSchemas, encoding: str = "json") -> Message:
    """A fact that is taken in, of a name that no other has."""
    name = f"good-{next(_numbers)}"
    value, headers = ENCODINGS[encoding](CHECK_IN | {"event_id": name}, schemas)
    return Message(topic, value, headers | {"case": name})


def hostile_messages(schemas: FakeSchemas) -> Iterator[tuple[str, bytes, dict[str, str]]]:
    """Each case of the corpus as it is, and in each encoding that can carry it."""
    for number, (stem, line, _) in enumerate(HOSTILE):
        name = f"{stem} (line {number} of all)"
        yield f"json {name}", line, {}
        try:
            document = json.loads(line, parse_constant=refuse_constant)
        except (ValueError, RecursionError):
            continue
        if not isinstance(document, dict) or not document or line.count(b'"') != quotes_of(document):
            continue
        for encoding in CARRIED_IN:
            try:
                yield (f"{encoding} {name}", *ENCODINGS[encoding](document, schemas))
            except CannotCarry:
                continue


def by_case(rejects: list[Reject]) -> dict[str, Reject]:
    """Rejects by the name in their header, of which none may come twice."""
    counted = Counter(reject.headers["case"] for reject in rejects)
    assert counted.total() == len(counted), [case for case, times in counted.items() if times > 1]
    return {reject.headers["case"]: reject for reject in rejects}


def own_headers(reject: Reject) -> dict[str, str]:
    return {name: value for name, value in reject.headers.items() if not name.startswith("kafka.")}


def test_every_hostile_case_in_every_encoding_to_every_topic_is_one_reject(stream: Deployment) -> None:
    schemas = FakeSchemas()
    cases = list(hostile_messages(schemas))
    expected: dict[str, Refusal] = {}
    messages: list[Message] = []
    for topic, fact_type in stream.topics.facts.items():
        for (name, value, headers), encoding in zip(cases, (GOOD_IN * len(cases))[: len(cases)], strict=True):
            case = f"{name} to {topic}"
            admitted = judged(schemas).admit(value, headers, fact_type)
            if isinstance(admitted, Refusal):
                expected[case] = admitted
                messages.append(Message(topic, value, headers | {"case": case}, key=b"m-1"))
            messages.append(good(topic, schemas, encoding))
    assert len(expected) > MIN_REFUSED
    stands = stream.send(messages)

    intake = stream.intake(schemas)
    intake.open()
    take_in(intake, len(messages))
    intake.close()

    found = by_case(stream.rejects())
    assert found.keys() == expected.keys()
    for message, (place, offset) in zip(messages, stands, strict=True):
        case = str(message.headers["case"])
        if case not in expected:
            continue
        reject, refusal = found[case], expected[case]
        assert (reject.reason, reject.field, reject.message) == (refusal.reason, refusal.field, refusal.message), case
        assert (reject.raw, own_headers(reject)) == (message.value, message.headers), case
        assert (reject.input, reject.input_name) == (f"{place.topic}/{place.partition}", place.topic)
        assert reject.record == offset + 1
        coordinates = [reject.headers[f"kafka.{name}"] for name in ("topic", "partition", "offset", "key")]
        assert coordinates == [place.topic, str(place.partition), str(offset), "m-1"]
    wanted = Counter(case for message in messages if (case := str(message.headers["case"])) not in expected)
    assert Counter(fact.event_id for fact in stream.facts()) == wanted


def test_each_topic_says_what_an_event_is_that_does_not(stream: Deployment) -> None:
    schemas = FakeSchemas()
    event = {name: value for name, value in CHECK_IN.items() if name != "type"}
    messages = [
        Message(topic, json.dumps(event | {"event_id": topic}).encode(), {"case": topic})
        for topic in stream.topics.facts
    ]
    stream.send(messages)
    intake = stream.intake(schemas)
    intake.open()
    take_in(intake, len(messages))
    intake.close()
    # A share needs no more than a check-in does.
    taken = {topic: kind for topic, kind in stream.topics.facts.items() if kind in {"CheckedIn", "ContentShared"}}
    assert {fact.event_id: type(fact).__name__ for fact in stream.facts()} == taken
    assert {reject.reason for reject in by_case(stream.rejects()).values()} == {"missing_field"}
    assert len(stream.rejects()) == len(messages) - len(taken)


def odd_messages(topic: str) -> list[Message]:
    """Messages that no publisher should send, each under its name."""
    many: dict[str, str | bytes | None] = {"case": "many-headers"}
    many |= {f"h-{number}": os.urandom(150_000).hex() for number in range(10)}
    large = json.dumps(CHECK_IN | {"attributes": {"text": "x" * MAX_EVENT_BYTES}}).encode()
    return [
        Message(topic, None, {"case": "null"}),
        Message(topic, b"", {"case": "empty"}),
        Message(topic, large, {"case": "large"}),
        Message(topic, b"[" * 10_000_000, {"case": "huge"}),
        Message(topic, b"x" * MAX_EVENT_BYTES, many),
        Message(topic, b"{", {"case": "odd-values", "none": None, "bytes": b"\xff\x00"}, key=b"\xfe\xff"),
    ]


def test_odd_messages_are_kept_with_what_there_is_of_them(stream: Deployment) -> None:
    topic = next(iter(stream.topics.facts))
    odd, first, last = odd_messages(topic), good(topic, FakeSchemas()), good(topic, FakeSchemas())
    stands = dict(zip([one.headers["case"] for one in odd], stream.send([*odd, first]), strict=False))
    send_odd_name(stream, topic, json.dumps(CHECK_IN | {"event_id": "odd"}))
    stream.send([last])
    intake = stream.intake(FakeSchemas())
    intake.open()
    take_in(intake, len(odd) + 3)
    intake.close()

    found = {reject.headers.get("case", "odd-name"): reject for reject in stream.rejects()}
    assert len(found) == len(stream.rejects())
    assert {case: reject.reason for case, reject in found.items()} == {
        "null": "malformed",
        "empty": "malformed",
        "large": "too_large",
        "huge": "too_large",
        "many-headers": "malformed",
        "odd-values": "malformed",
        "odd-name": "malformed",
    }
    for message in odd:
        reject, value = found[str(message.headers["case"])], message.value or b""
        place, offset = stands[message.headers["case"]]
        assert (reject.input, reject.record) == (f"{place.topic}/{place.partition}", offset + 1)
        assert reject.raw == value if len(value) <= MAX_EVENT_BYTES else reject.raw == value[:MAX_KEPT_BYTES]
        if reject.reason == "too_large":
            noted = [reject.headers[name] for name in ("truncated", "bytes", "sha256")]
            assert noted == ["true", str(len(value)), sha256(value).hexdigest()]
    assert found["null"].headers["kafka.value"] == "null"
    assert found["many-headers"].headers["kafka.headers"] == "the first 1 of 11"
    assert (found["odd-values"].headers["none"], found["odd-values"].headers["bytes"]) == ("", "base64:/wA=")
    assert found["odd-name"].headers["kafka.headers"] == "unreadable"
    assert json.loads(found["odd-name"].raw)["event_id"] == "odd"
    assert {fact.event_id for fact in stream.facts()} == {first.headers["case"], last.headers["case"]}


def send_odd_name(stream: Deployment, topic: str, event: str) -> None:
    """Send an event with a header whose name is no text, through a client that can be brought to it."""
    arguments = [stream.cluster.bootstrap, topic, event, str(hostile.NOW)]
    # Its records are made in Python then, where a name may encode itself as it likes.
    environment = {**os.environ, "AIOKAFKA_NO_EXTENSIONS": "1"}
    subprocess.run([sys.executable, "-c", ODD_NAME, *arguments], env=environment, check=True, timeout=60)


def test_a_reject_of_the_greatest_size_fits_into_its_topic() -> None:
    """An event of the greatest size, with headers and a key as large as they are kept."""
    assert MAX_EVENT_BYTES + MAX_HEADERS_BYTES + 10 * MAX_KEY_BYTES < REJECT_BYTES


def test_facts_wait_while_the_registry_is_down_and_none_is_refused(stream: Deployment) -> None:
    registry = FakeRegistry()
    schemas = FakeSchemas()
    value, _ = ENCODINGS["confluent"](CHECK_IN | {"event_id": "framed"}, schemas)
    registry.answer("POST", "/subjects/any/versions", {"schema": schemas.by_id(1)})
    topics = list(stream.topics.facts)
    unknown = b"\0\0\0\0\2" + value[5:]
    said: list[str] = []
    with served(registry) as url:
        registry.status = 503
        intake = stream.intake(RegistrySchemas(url), said.append)
        intake.open()
        before = good(topics[1], schemas)
        stream.send([before])
        take_in(intake, 1)
        stream.send(
            [
                Message(topics[0], value, {"case": "framed"}),
                Message(topics[0], unknown, {"case": "unknown"}),
                good(topics[1], schemas),
            ]
        )
        wait_for("the registry is asked", lambda: intake.step() or registry.requests)
        for _ in range(40):
            intake.step()
        # The last of them may have been fetched before the others were there; no more than that was taken in.
        assert intake.counts.records <= 2
        assert intake.counts.rejects == {}
        assert "framed" not in {fact.event_id for fact in stream.facts()}
        registry.status = 200
        take_in(intake, 4)
        intake.close()
    assert said[0].startswith(f"the schema registry at {url} gives no answer")
    assert said[1:] == ["the schema registry answers again"]
    assert "framed" in {fact.event_id for fact in stream.facts()}
    (refused,) = stream.rejects()
    assert (refused.reason, refused.headers["case"]) == ("bad_frame", "unknown")
    assert "does not know schema id 2" in refused.message


def test_without_a_registry_a_framed_message_says_what_to_set(stream: Deployment) -> None:
    schemas = FakeSchemas()
    topic = next(iter(stream.topics.facts))
    value, _ = ENCODINGS["confluent"](CHECK_IN | {}, schemas)
    stream.send([Message(topic, value, {"case": "framed"}), good(topic, schemas)])
    intake = stream.intake(NO_REGISTRY)
    intake.open()
    take_in(intake, 2)
    intake.close()
    (refused,) = stream.rejects()
    assert refused.reason == "bad_frame"
    assert "TALLYBOOK_REGISTRY" in refused.message
