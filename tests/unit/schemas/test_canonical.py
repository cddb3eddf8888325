"""A canonical form depends on what a value says, never on which object says it: decoded or written, it is the same."""

from typing import Any

import msgspec
import pytest

from schemas.canonical import canonical_fact, content_hash, next_ledger_digest
from schemas.facts import (
    CheckedIn,
    ContentShared,
    PurchaseLine,
    PurchaseRecorded,
    RefereePurchased,
    ReferralMade,
    ReviewSubmitted,
)
from schemas.posting import Entry, Posting

STRUCTS = (
    PurchaseLine, PurchaseRecorded, CheckedIn, ContentShared, ReviewSubmitted, ReferralMade, RefereePurchased, Entry,
)  # fmt: skip


def another(value: Any) -> Any:
    """An equal value that is, where Python allows it, another object."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=type(value))


def required(struct: type[msgspec.Struct]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        if field.default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT:
            values[field.name] = () if field.name == "lines" else "x" if "str" in str(field.type) else 300
    return values


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_a_field_equal_to_its_default_is_left_out(struct: type[msgspec.Struct]) -> None:
    plain = struct(**required(struct))
    for field in msgspec.structs.fields(struct):
        default = (
            field.default_factory()
            if field.default is msgspec.NODEFAULT and callable(field.default_factory)
            else field.default
        )
        if default is msgspec.NODEFAULT:
            continue
        said = struct(**required(struct), **{field.name: another(default)})
        assert msgspec.json.encode(said) == msgspec.json.encode(plain), field.name


def test_a_quantity_of_one_is_one_identity_however_it_was_written() -> None:
    written = PurchaseLine("sku", 100)
    decoded = msgspec.json.decode(b'{"sku":"sku","amount_minor":100,"quantity_milli":1000}', type=PurchaseLine)
    facts = [PurchaseRecorded("pos", "1", 0, "o", "EUR", (line,), member_id="m") for line in (written, decoded)]
    assert canonical_fact(facts[0]) == canonical_fact(facts[1])
    assert content_hash(facts[0]) == content_hash(facts[1])


def test_a_digest_is_the_same_over_written_and_decoded_postings() -> None:
    entry = Entry("pos/1/m/1", "PointsAwarded", 5, 0, 1, rule_id="base")
    posting = Posting("m", 1, "PurchaseRecorded", "pos", "1", 0, 5, entries=(entry,))
    decoded = msgspec.json.decode(msgspec.json.encode(posting), type=Posting)
    assert decoded == posting
    assert next_ledger_digest(bytes(32), decoded) == next_ledger_digest(bytes(32), posting)
    explicit = msgspec.structs.replace(posting, entries=(msgspec.structs.replace(entry, wallet=another("points")),))
    assert next_ledger_digest(bytes(32), explicit) == next_ledger_digest(bytes(32), posting)


def test_the_last_fact_is_never_taken_for_another() -> None:
    first, second = (CheckedIn("app", event_id, 1, "ann") for event_id in ("e-1", "e-2"))
    forms = [canonical_fact(fact) for fact in (first, second, first, another(first))]
    assert forms[0] == forms[2] == forms[3]
    assert forms[1] != forms[0]
    assert content_hash(first) != content_hash(second)
