"""Refusals: the typed reasons of the door, and how a refused record becomes a reject that is kept."""

import re
from hashlib import blake2b
from typing import Final, Literal, Self

import msgspec

from schemas.pages import Reject

RejectReason = Literal[
    "malformed",
    "too_large",
    "unknown_type",
    "missing_field",
    "wrong_type",
    "out_of_range",
    "unknown_currency",
    "invalid_time",
    "too_early",
    "too_old",
    "self_referral",
    "negative_order",
    "bad_frame",
    "duplicate_row",
    "damaged",
    "conflict",
]

MAX_QUOTED: Final = 60
# Characters that Python calls printable and that show nothing all the same: the joiner of graphemes, fillers of Hangul,
# the blank of Braille, selectors of variants, and the inherent vowels of Khmer.
_UNSEEN: Final = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
MAX_MESSAGE: Final = 500
EVENT_HEADER: Final = "event"  # of a kept row: the event as JSON that was made of it
# Of a kept order whose rows lay in several files: how many they were, and the names of the files as a list in JSON.
ROWS_HEADER: Final = "rows"
FILES_HEADER: Final = "files"
SAME_REFUSAL_BYTES = 8


class Refusal(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a record is not taken, and what to change.

    `field` is a path such as `lines[0].amount_minor`, empty where the whole record is meant. `fact_type`, `source` and
    `event_id` are what the record seems to say of itself, cut to the bounds of the contract, else empty.
    `occurred_at` (UTC ms) is None where the record gives no instant between 1970 and 9999. `looked_up` is the place,
    from 1, of a record among those that are compared with the journal before they are refused (0: it is not).
    """

    reason: RejectReason
    message: str
    field: str = ""
    fact_type: str = ""
    source: str = ""
    event_id: str = ""
    occurred_at: int | None = None
    looked_up: int = 0


def reject_of(
    refusal: Refusal,
    raw: bytes,
    *,
    source_input: tuple[str, str],
    record: int,
    at_line: int = 0,
    received_at: int = 0,
    headers: dict[str, str],
    resubmit_of: int = 0,
) -> Reject:
    """The reject that keeps a refused record; its number is given where it is kept.

    `source_input` is what the books call the input (a file's SHA-256, a topic's partition) and what people call it.
    """
    identity, name = source_input
    return Reject(
        reason=refusal.reason,
        message=refusal.message,
        raw=raw,
        field=refusal.field,
        input=identity,
        input_name=name,
        record=record,
        at_line=at_line,
        fact_type=refusal.fact_type,
        source=refusal.source,
        event_id=refusal.event_id,
        received_at=received_at,
        headers=headers,
        resubmit_of=resubmit_of,
    )


def event_of(reject: Reject) -> bytes:
    """What is sent again if it was not mended, as a line: the event made of a table's row, else the original bytes."""
    event = reject.headers.get(EVENT_HEADER)
    return one_line(reject.raw if event is None else event.encode())


def one_line(event: bytes) -> bytes:
    """An event as one line: a line end inside a JSON text is written otherwise."""
    return event.strip().replace(b"\r", b" ").replace(b"\n", b" ")


def same_refusal(reject: Reject, event: bytes) -> bytes:
    """Eight bytes that are the same for two rejects of one `event` that were refused for the same reason.

    Where they came from does not matter, nor what the message says of the time.
    """
    found = blake2b(digest_size=SAME_REFUSAL_BYTES)
    whole = reject.headers.get("sha256", reject.headers.get("bytes", ""))  # where only a part of it was kept
    for part in (reject.reason.encode(), reject.field.encode(), whole.encode(), event):
        found.update(len(part).to_bytes(4, "little"))
        found.update(part)
    return found.digest()


class Problem(Exception):
    """The first thing wrong with a record: reason, field path and a message that says what to change."""

    def __init__(self, reason: RejectReason, message: str, field: str = "") -> None:
        super().__init__(message)
        self.reason: RejectReason = reason
        self.message = message if len(message) <= MAX_MESSAGE else f"{message[: MAX_MESSAGE - 1]}…"
        self.field = field

    def __reduce__(self) -> tuple[type[Self], tuple[str, str, str]]:
        return type(self), (self.reason, self.message, self.field)


def quoted(value: object) -> str:
    """A value as a message may show it: at most MAX_QUOTED characters, in quotes if it is text.

    Letters of every script stand as they are. Characters that a screen does not show, or that change how it shows
    others (line breaks, blanks of no width, marks for the direction of text, halves of surrogate pairs), are escaped.
    """
    if isinstance(value, bytes):
        text = value[: MAX_QUOTED + 1].decode("utf-8", "backslashreplace")
        shown = _visible(repr(text)).replace("\\\\x", "\\x")  # a byte that is no text is shown by its number
    elif isinstance(value, str):
        shown = _visible(repr(value[: MAX_QUOTED + 1]))
    elif isinstance(value, dict | list | tuple):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    elif isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 256:
        return f"a number of {value.bit_length()} bits"
    elif value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    else:
        shown = _visible(repr(value))
    return shown if len(shown) <= MAX_QUOTED else f"{shown[: MAX_QUOTED - 1]}…"


def _visible(shown: str) -> str:
    """What `repr` gives, which escapes most of what shows nothing; the rest of that is escaped here."""
    return _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], shown)
