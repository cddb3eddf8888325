"""Makes rejects of refused messages: their bytes as they came, their headers and coordinates, and the reason."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from books.kafka.records import UNREADABLE, Record, header_text
from processors.intake.input_records import MAX_KEPT_BYTES
from processors.intake.refusal import Refusal, reject_of, same_refusal
from schemas.bounds import MAX_EVENT_BYTES
from schemas.pages import Reject

# The header of a message that corrects a reject: the reject's number.
RESUBMIT_OF: Final = "tallybook-resubmit-of"
# And what tells whether it is refused for the same reason once more: then no second reject is kept.
SAME_REFUSAL: Final = "tallybook-same-refusal"
MAX_HEADERS: Final = 64
# Of all headers together, so that a reject with an event of the greatest size fits into its topic.
MAX_HEADERS_BYTES: Final = 262_144
MAX_KEY_BYTES: Final = 1_024
# Headers of this prefix are ours, beside the publisher's own; theirs cannot replace them.
COORDINATES: Final = "kafka."
# The size of a key that was too long to be kept whole.
KEY_BYTES: Final = f"{COORDINATES}key-bytes"
UNREADABLE_NOTE: Final = "unreadable"
TRUNCATED: Final = "truncated"


def reject_from(record: Record, refusal: Refusal, received_at: int) -> Reject:
    """The reject of a message; its number comes with its place in the topic. `received_at` in UTC ms.

    Of a message larger than an event may be the head is kept, with the SHA-256 of the whole.
    """
    raw = record.value or b""
    noted = {
        f"{COORDINATES}topic": record.topic,
        f"{COORDINATES}partition": str(record.partition),
        f"{COORDINATES}offset": str(record.offset),
    }
    if record.value is None:
        noted[f"{COORDINATES}value"] = "null"
    kept = _kept(record.headers)
    if record.headers is UNREADABLE:
        noted[f"{COORDINATES}headers"] = UNREADABLE_NOTE
    elif len(kept) < len(record.headers):
        noted[f"{COORDINATES}headers"] = f"the first {len(kept)} of {len(record.headers)}"
    if record.key is not None:
        noted[f"{COORDINATES}key"] = header_text(record.key[:MAX_KEY_BYTES])
        if len(record.key) > MAX_KEY_BYTES:
            noted[KEY_BYTES] = str(len(record.key))
    if len(raw) > MAX_EVENT_BYTES:
        noted |= {TRUNCATED: "true", "bytes": str(len(raw)), "sha256": sha256(raw).hexdigest()}
        raw = raw[:MAX_KEPT_BYTES]
    return reject_of(
        refusal,
        raw,
        source_input=(f"{record.topic}/{record.partition}", record.topic),
        record=record.offset + 1,
        received_at=received_at,
        headers=kept | noted,
        resubmit_of=_mends(record.headers),
    )


def is_refused_again(reject: Reject) -> bool:
    """Whether a reject says what the one says that it is an attempt of."""
    return bool(reject.resubmit_of) and reject.headers.get(SAME_REFUSAL) == refusal_mark(reject)


def refusal_mark(reject: Reject) -> str:
    """What the header SAME_REFUSAL of a message says that sends this reject again."""
    return same_refusal(reject, reject.raw).hex()


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    """The first headers, each whole, as far as the bounds allow."""
    kept: dict[str, str] = {}
    size = 0
    for name, value in headers.items():
        size += len(name.encode()) + len(value.encode())
        if len(kept) == MAX_HEADERS or size > MAX_HEADERS_BYTES:
            break
        kept[name] = value
    return kept


def _mends(headers: Mapping[str, str]) -> int:
    said = headers.get(RESUBMIT_OF, "")
    return int(said) if said.isascii() and said.isdigit() and len(said) <= 18 else 0
