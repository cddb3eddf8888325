"""Valid events and small files for the tests of the door and its readers."""

import json
from pathlib import Path
from typing import Any, Final

import msgspec

from processors.intake.input_files import open_input
from processors.intake.input_records import Read
from processors.intake.mapping import ColumnMapping, parse_mapping
from processors.intake.refusal import Refusal
from schemas.facts import PublishedFact
from schemas.instants import parse_instant

AT: Final = "2026-11-11T11:11:11Z"
AT_MS: Final = parse_instant(AT)

PURCHASE: Final[dict[str, Any]] = {
    "type": "PurchaseRecorded",
    "source": "pos",
    "event_id": "e-1",
    "occurred_at": AT,
    "order_id": "o-1",
    "member_id": "m-1",
    "currency": "EUR",
    "lines": [{"sku": "espresso", "amount_minor": 350}],
}
CHECK_IN: Final = {"type": "CheckedIn", "source": "app", "event_id": "e-2", "occurred_at": AT, "member_id": "m-1"}
SHARE: Final = {"type": "ContentShared", "source": "app", "event_id": "e-3", "occurred_at": AT, "member_id": "m-1"}
REVIEW: Final = {
    "type": "ReviewSubmitted",
    "source": "shop",
    "event_id": "e-4",
    "occurred_at": AT,
    "member_id": "m-1",
    "sku": "lamp",
}
REFERRAL: Final = {
    "type": "ReferralMade",
    "source": "app",
    "event_id": "e-5",
    "occurred_at": AT,
    "referrer_id": "m-1",
    "referee_id": "m-2",
}
EVENTS: Final[tuple[dict[str, Any], ...]] = (PURCHASE, CHECK_IN, SHARE, REVIEW, REFERRAL)

ORDERS: Final[dict[str, Any]] = {
    "type": "PurchaseRecorded",
    "source": "pos",
    "timezone": "Europe/Berlin",
    "fields": {"event_id": "order", "order_id": "order", "member_id": "member", "occurred_at": "time"},
    "constants": {"currency": "EUR"},
    "lines": {"sku": "sku", "amount_minor": "paid"},
    "scale": {"amount_minor": "100"},
    "group_by": "order",
}
HEADER: Final = "order,member,time,sku,paid\n"


def json_of(event: dict[str, Any], **fields: Any) -> bytes:
    """An event as JSON, some fields replaced."""
    return json.dumps(event | fields).encode()


def admitted(fact: PublishedFact | Refusal) -> PublishedFact:
    """The fact, where one is expected."""
    assert not isinstance(fact, Refusal), fact
    return fact


def refused(refusal: PublishedFact | Refusal) -> Refusal:
    """The refusal, where one is expected."""
    assert isinstance(refusal, Refusal), refusal
    return refusal


def mapping(**settings: Any) -> ColumnMapping:
    """The mapping of an orders table, some settings replaced; None leaves one out."""
    return parse_mapping({name: value for name, value in (ORDERS | settings).items() if value is not None})


def read_file(path: Path, content: bytes | str, how: ColumnMapping | None = None) -> list[Read]:
    """All records of a file that is written first."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(open_input(path, mapping=how).records())


def facts(reads: list[Read]) -> list[PublishedFact]:
    """The facts of records none of which may be refused."""
    assert [read.refusal for read in reads if read.refusal is not None] == []
    return [read.fact for read in reads if read.fact is not None]


def plain(fact: object) -> Any:
    """A fact as plain values, with its defaults left out."""
    return json.loads(msgspec.json.encode(fact))
