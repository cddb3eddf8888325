"""A message that is sent again and refused for the same reason makes no second reject; for another one it does."""

import pytest

from books.kafka.records import Record
from processors.intake.refusal import Refusal
from processors.stream.rejects import RESUBMIT_OF, SAME_REFUSAL, is_refused_again, refusal_mark, reject_from

TOPIC = "shop.facts.purchases"
EURO = b'{"currency":"EURO"}'
UNKNOWN = Refusal("unknown_currency", "currency 'EURO' is no ISO 4217 code", "currency")
EARLY = Refusal("too_early", "it is now 10:00", "occurred_at")


def record(value: bytes, headers: dict[str, str]) -> Record:
    return Record(TOPIC, 0, 7, 0, None, value, headers)


def sent_again(refusal: Refusal, number: str = "5") -> dict[str, str]:
    """The headers with which the reject of EURO is sent again."""
    first = reject_from(record(EURO, {"event": "told by the publisher"}), refusal, 0)
    return {"event": "told by the publisher", RESUBMIT_OF: number, SAME_REFUSAL: refusal_mark(first)}


def test_the_same_bytes_refused_for_the_same_reason_are_refused_again() -> None:
    later = Refusal("too_early", "it is now 11:00", "occurred_at")
    assert is_refused_again(reject_from(record(EURO, sent_again(UNKNOWN)), UNKNOWN, 0))
    assert is_refused_again(reject_from(record(EURO, sent_again(EARLY)), later, 0)), "whatever the time was"


@pytest.mark.parametrize(
    ("value", "refusal", "headers"),
    [
        (EURO, EARLY, sent_again(UNKNOWN)),
        (b'{"currency":"EURO","a":1}', UNKNOWN, sent_again(UNKNOWN)),
        (EURO, UNKNOWN, {}),
        (EURO, UNKNOWN, sent_again(UNKNOWN, "none")),
    ],
    ids=["another reason", "mended, but not enough", "sent by its publisher", "of no reject"],
)
def test_anything_else_is_a_reject_of_its_own(value: bytes, refusal: Refusal, headers: dict[str, str]) -> None:
    assert not is_refused_again(reject_from(record(value, headers), refusal, 0))
