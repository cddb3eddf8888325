"""The rejects of a stream are found by number and reason, and sent again to where they came from."""

import json
from pathlib import Path
from typing import Final

import pytest

from processors.stream.message_door import NO_REGISTRY
from processors.stream.rejects import SAME_REFUSAL, refusal_mark
from schemas.bounds import MAX_EVENT_BYTES
from schemas.pages import Reject
from tallybook.stream import rejects as stream_rejects
from tests.fakes.registry import FakeSchemas
from tests.integration.streams import Deployment, Message, take_in
from tests.support.command_line import run
from tests.support.encodings import ENCODINGS
from tests.support.fact_samples import CHECK_IN, PURCHASE

EURO: Final = PURCHASE | {"currency": "EURO", "event_id": "p-bad"}
# Whatever bytes a publisher sends must come back the same: no text, none at all, one that looks like ours.
HEADERS: Final[dict[str, str | bytes | None]] = {
    "trace": "7",
    "no-text": b"\xff\x00\xfe",
    "empty": None,
    "like-ours": "base64:7",
    "tallybook-resubmit-of": "none",
}
KEY: Final = b"m-1\xff"


class Kept:
    """A stream with rejects: of each of `messages` one, and a folder that speaks of it."""

    def __init__(self, bootstrap: str, name: str, folder: Path) -> None:
        self.stream = Deployment(bootstrap, name)
        self.folder = self.stream.folder(folder)
        self.schemas = FakeSchemas()
        topic = {kind: topic for topic, kind in self.stream.topics.facts.items()}
        self.purchases = topic["PurchaseRecorded"]
        check_ins = topic["CheckedIn"]
        framed, _ = ENCODINGS["confluent"](CHECK_IN, self.schemas)
        large = json.dumps(CHECK_IN | {"attributes": {"text": "x" * MAX_EVENT_BYTES}}).encode()
        self.messages = [
            Message(self.purchases, json.dumps(EURO).encode(), HEADERS, key=KEY),
            Message(check_ins, framed),
            Message(check_ins, large),
            Message(check_ins, None),
        ]
        for message in self.messages:
            self.send(message)

    def send(self, message: Message) -> None:
        """Send a message, and take it in."""
        self.stream.send([message])
        self.take_in(1)

    def take_in(self, records: int, *, with_registry: bool = False) -> None:
        """Let the intake go on until it has seen so many more records."""
        intake = self.stream.intake(self.schemas if with_registry else NO_REGISTRY)
        intake.open()
        take_in(intake, records)
        intake.close()

    def numbers(self) -> list[int]:
        return [reject.number for reject in self.stream.rejects()]


@pytest.fixture
def kept(bootstrap: str, deployment: str, tmp_path: Path) -> Kept:
    return Kept(bootstrap, deployment, tmp_path)


def test_rejects_are_listed_and_shown(kept: Kept) -> None:
    folder, numbers = kept.folder, kept.numbers()
    euro, framed, _, null = numbers
    found = run(folder, "rejects", "list", "--json").json()
    reasons = {"unknown_currency": 1, "bad_frame": 1, "too_large": 1, "malformed": 1}
    assert (found["count"], found["by_reason"], found["looked_from"]) == (4, reasons, 1)
    assert [row["number"] for row in found["rejects"]] == numbers
    assert [row["sent_again"] for row in found["rejects"]] == [None] * 4
    newest = run(folder, "rejects", "list", "--limit", "1", "--reason", "bad_frame", "--json").json()["rejects"]
    assert [row["number"] for row in newest] == [framed]
    assert "not known" in run(folder, "rejects", "list").out
    unknown = run(folder, "rejects", "list", "--reason", "too_big")
    assert (unknown.code, "bad_frame, malformed" in unknown.err) == (3, True)

    assert run(folder, "rejects", "show", str(euro), "--raw").stdout == kept.messages[0].value
    shown = run(folder, "rejects", "show", str(euro), "--json").json()
    assert (shown["input_name"], shown["headers"]["trace"], shown["headers"]["kafka.key"]) == (
        kept.purchases,
        "7",
        "base64:bS0x/w==",
    )
    missing = run(folder, "rejects", "show", str(null + 1_000))
    assert (missing.code, "no reject" in missing.err) == (3, True)
    gap = next(number for number in range(euro, null) if number not in numbers)
    assert f"the next one is {framed}" in run(folder, "rejects", "show", str(gap)).err


def test_a_reject_is_sent_again_as_it_was_or_mended(kept: Kept) -> None:
    folder = kept.folder
    euro, framed, large, null = kept.numbers()
    # As it was: refused again for the same reason, so that the first reject stands.
    assert run(folder, "rejects", "resubmit", str(euro), "--json").json()["sent"] == 1
    kept.take_in(1)
    assert kept.numbers() == [euro, framed, large, null]
    # For another reason: a new reject that names it, with the publisher's headers and no notes of ours.
    assert run(folder, "rejects", "resubmit", str(euro), "-", stdin=b"{no json").code == 0
    kept.take_in(1)
    again = kept.stream.rejects()[-1]
    assert (again.resubmit_of, again.raw, again.reason) == (euro, b"{no json", "malformed")
    first = kept.stream.rejects()[0]
    assert own(first).keys() == HEADERS.keys()
    assert own(again) == own(first) | {"tallybook-resubmit-of": str(euro), SAME_REFUSAL: refusal_mark(first)}
    assert (again.headers["kafka.key"], again.input) == (first.headers["kafka.key"], first.input)
    rows = run(folder, "rejects", "list", "--json").json()["rejects"]
    assert [row["sent_again"] for row in rows] == [True, None, None, None, None]
    assert run(folder, "rejects", "show", str(euro), "--json").json()["sent_again"] is True

    # Mended: taken in.
    mended = json.dumps(EURO | {"currency": "EUR"}).encode()
    other = json.dumps(EURO | {"currency": "EUR", "event_id": "p-other"}).encode()
    assert "is 'p-other' now" in run(folder, "rejects", "resubmit", str(euro), "-", stdin=other).err
    assert run(folder, "rejects", "resubmit", str(euro), "-", stdin=mended).code == 0
    kept.take_in(2)
    assert [fact.event_id for fact in kept.stream.facts()].count("p-bad") == 1

    truncated = run(folder, "rejects", "resubmit", str(large))
    assert truncated.code == 3
    assert all(word in truncated.err for word in ("65,536", "SHA-256", "partition", "offset"))
    nothing = run(folder, "rejects", "resubmit", str(null))
    assert (nothing.code, "nothing to send" in nothing.err) == (3, True)


def test_all_of_a_reason_are_sent_once_the_registry_is_there(kept: Kept) -> None:
    framed, _ = ENCODINGS["confluent"](CHECK_IN | {"event_id": "second"}, kept.schemas)
    kept.send(Message(kept.purchases, framed))
    folder = kept.folder
    sent = run(folder, "rejects", "resubmit", "--all", "--reason", "bad_frame", "--json")
    assert sent.json() == {"sent": 2, "next_number": 0, "unsendable": []}
    kept.take_in(2)  # still without a registry
    again = run(folder, "rejects", "resubmit", "--all", "--reason", "bad_frame", "--json").json()
    assert again["sent"] == 2  # the same two, which were refused again for the same reason
    kept.take_in(2, with_registry=True)
    assert sorted(fact.event_id for fact in kept.stream.facts()) == [CHECK_IN["event_id"], "second"]
    large = run(folder, "rejects", "resubmit", "--all", "--reason", "too_large")
    assert (large.code, "1 were not" in large.out) == (4, True)
    none = run(folder, "rejects", "resubmit", "--all", "--reason", "bad_frame", "--from", "100000")
    assert (none.code, "there is no reject" in none.err) == (3, True)
    for wrong in (["--all"], ["3", "--all", "--reason", "x"], [], ["3", "--reason", "x"]):
        assert run(folder, "rejects", "resubmit", *wrong).code == 2


def test_a_listing_reads_no_further_back_than_it_takes(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_rejects, "FIRST_WINDOW", 2)
    numbers = kept.numbers()
    found = run(kept.folder, "rejects", "list", "--limit", "1", "--json").json()
    assert [row["number"] for row in found["rejects"]] == numbers[-1:]
    assert numbers[0] < found["looked_from"] <= numbers[-1]
    everything = run(kept.folder, "rejects", "list", "--limit", "3", "--json").json()
    assert [row["number"] for row in everything["rejects"]] == numbers[-3:]


def own(reject: Reject) -> dict[str, str]:
    return {name: value for name, value in reject.headers.items() if not name.startswith("kafka.")}
