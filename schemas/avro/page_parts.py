"""Puts a journal page together from parts: a fact that came as Avro stands in it as it came, and is not written again.

Format: the contracts JournalPage and JournalLine (`schemas/avro`) in Avro's binary encoding; a test compares
pages made here with those that the codecs make.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from schemas.avro.contracts import FACT_SCHEMAS
from schemas.avro.varints import long_bytes

# Which branch of a line's union a kind of fact is: the contract lists them in this order.
_BRANCHES: Final = {name: long_bytes(at) for at, name in enumerate(FACT_SCHEMAS)}
_NOBODY: Final = long_bytes(0)
_SOMEBODY: Final = long_bytes(1)
_END: Final = long_bytes(0)
_UNNUMBERED: Final = long_bytes(0)


def line_part(
    fact_type: str, body: bytes, received_at: int, member_id: str | None, *, input_number: int, record: int
) -> bytes:
    """A line of a page; `body` is the fact under our present schema `fact_type`, the rest as JournalLine has it."""
    if member_id is None:
        member = _NOBODY
    else:
        name = member_id.encode()
        member = _SOMEBODY + long_bytes(len(name)) + name
    return b"".join(
        (_BRANCHES[fact_type], body, long_bytes(received_at), member, long_bytes(input_number), long_bytes(record))
    )


def page_of_parts(lines: Sequence[bytes], inputs: Iterable[str]) -> bytes:
    """The body of a page numbered 0 that has these lines."""
    names = [name.encode() for name in inputs]
    told = [long_bytes(len(name)) + name for name in names]
    return b"".join((_UNNUMBERED, *_array(lines), *_array(told)))


def _array(items: Sequence[bytes]) -> Iterable[bytes]:
    return (long_bytes(len(items)), *items, _END) if items else (_END,)
