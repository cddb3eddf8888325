"""The records that every reader gives: each a fact or a refusal, with its place in the input."""

from typing import Final

import msgspec

from processors.intake.refusal import Refusal
from schemas.bounds import MAX_EVENT_BYTES
from schemas.facts import PublishedFact

# Of a record larger than an event may be, only this much is read into memory and kept with the refusal.
MAX_KEPT_BYTES: Final = 65_536


class Read(msgspec.Struct, gc=False):
    """One record of an input: exactly one of `fact` and `refusal` is there.

    `record` counts from 1 in its input, `at_line` is the text line (Parquet: the row; Avro: the record) it begins at,
    from 1. `raw` is kept only where the record is refused: the bytes as they came, or where the format is not text the
    record as JSON. `headers` says more of a kept record: `truncated` and `bytes` where it was too large to keep,
    `event` where a table's row was read as far as the JSON event that can be mended and sent again. `size` is how
    many bytes the record took, roughly, in memory.
    """

    record: int
    at_line: int
    fact: PublishedFact | None
    refusal: Refusal | None
    raw: bytes
    size: int
    headers: dict[str, str] = {}


class InputRefused(ValueError):
    """A file is refused as a whole: `file`, `line` (0 for none), what is wrong, and what to do."""

    def __init__(self, file: str, line: int, message: str, hint: str) -> None:
        place = f"{file}, line {line}" if line else file
        super().__init__(f"{place}: {message.rstrip('.')}. {hint}")
        self.file = file
        self.line = line


def refused(
    record: int,
    at_line: int,
    refusal: Refusal,
    raw: bytes,
    *,
    headers: dict[str, str] | None = None,
    size: int | None = None,
) -> Read:
    """A refused record; where its `size` in bytes is more than what is kept in `raw`, the headers say so."""
    size = len(raw) if size is None else size
    said = dict(headers or {})
    if size > len(raw):
        said |= {"truncated": "true", "bytes": str(size)}
    return Read(record, at_line, None, refusal, raw, len(raw), said)


def as_json(document: object) -> bytes:
    """A decoded record as JSON, to be kept where the format is not text; the largest are cut to MAX_KEPT_BYTES."""
    try:
        text = msgspec.json.encode(document, enc_hook=str)
    except (ValueError, TypeError, RecursionError, UnicodeEncodeError):
        text = ascii(document)[:MAX_KEPT_BYTES].encode()
    return text if len(text) <= MAX_EVENT_BYTES else text[:MAX_KEPT_BYTES]
