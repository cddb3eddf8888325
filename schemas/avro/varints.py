"""Encodes and decodes Avro's integers and texts by tables: a posting holds many, and a loop over bits is slow.

Source: Apache Avro 1.12 specification, "Binary encoding" (zig-zag, then seven bits a byte, least significant first).
"""

from typing import Final

_PAIR: Final = 1 << 14
MAX_CACHED_INSTANTS: Final = 4_096
MAX_CACHED_TEXTS: Final = 4_096
MAX_VARINT_BITS: Final = 70
INSTANT_BYTES: Final = 6

_LAST: Final = tuple(bytes([n]) if n < 128 else bytes([n & 127 | 128, n >> 7]) for n in range(_PAIR))
_MORE: Final = tuple(bytes([n & 127 | 128, n >> 7 | 128]) for n in range(_PAIR))


def long_bytes(value: int) -> bytes:
    """The bytes of any int64; raises OverflowError beyond it."""
    n = value << 1 ^ value >> 63
    if n < _PAIR:
        return _LAST[n]
    if n < 1 << 28:
        return _MORE[n & 0x3FFF] + _LAST[n >> 14]
    if n < 1 << 42:
        return _MORE[n & 0x3FFF] + _MORE[n >> 14 & 0x3FFF] + _LAST[n >> 28]
    if n < 1 << 56:
        return _MORE[n & 0x3FFF] + _MORE[n >> 14 & 0x3FFF] + _MORE[n >> 28 & 0x3FFF] + _LAST[n >> 42]
    if n >> 64:
        raise OverflowError(f"{value} is not an int64")
    return (
        _MORE[n & 0x3FFF] + _MORE[n >> 14 & 0x3FFF] + _MORE[n >> 28 & 0x3FFF] + _MORE[n >> 42 & 0x3FFF] + _LAST[n >> 56]
    )


SMALL_INTS: Final = 1 << 15
# The bytes of 0 … SMALL_INTS - 1, for callers that look before they call: local days until 2059 are among them.
SMALL: Final = tuple(long_bytes(n) for n in range(SMALL_INTS))

# The bytes of instants and texts met before. One posting holds the same instant several times.
INSTANT_BYTES_OF: Final[dict[int, bytes]] = {}
TEXT_BYTES_OF: Final[dict[str, bytes]] = {}
# The texts of bytes met before: the same store is the same object in all facts, which are then smaller and quicker to
# compare.
TEXTS_OF: Final[dict[bytes, str]] = {}


def new_instant(value: int) -> bytes:
    """The same as `long_bytes`, and keeps the bytes in `INSTANT_BYTES_OF` for callers that look there first."""
    if len(INSTANT_BYTES_OF) >= MAX_CACHED_INSTANTS:
        INSTANT_BYTES_OF.clear()
    body = INSTANT_BYTES_OF[value] = long_bytes(value)
    return body


def new_text(text: str) -> bytes:
    """The bytes of a text with its length, and keeps them in `TEXT_BYTES_OF` for callers that look there first."""
    if len(TEXT_BYTES_OF) >= MAX_CACHED_TEXTS:
        TEXT_BYTES_OF.clear()
    encoded = text.encode()
    body = TEXT_BYTES_OF[text] = long_bytes(len(encoded)) + encoded
    return body


def text_of(encoded: bytes) -> str:
    """The text, and keeps it in `TEXTS_OF` for callers that look there first; raises ValueError if it is not UTF-8."""
    if len(TEXTS_OF) >= MAX_CACHED_TEXTS:
        TEXTS_OF.clear()
    text = TEXTS_OF[encoded] = encoded.decode()
    return text


def read_long(body: bytes, at: int) -> tuple[int, int]:
    """An int64 and the place after it; raises IndexError at the end of the body, ValueError if it is no int64."""
    n = body[at]
    if n < 128:
        return n >> 1 ^ -(n & 1), at + 1
    byte = body[at + 1]
    if byte < 128:
        n = n & 127 | byte << 7
        return n >> 1 ^ -(n & 1), at + 2
    n = n & 127 | (byte & 127) << 7
    byte = body[at + 2]
    if byte < 128:
        n |= byte << 14
        return n >> 1 ^ -(n & 1), at + 3
    n |= (byte & 127) << 14
    at += 3
    for shift in range(21, MAX_VARINT_BITS, 7):
        byte = body[at]
        at += 1
        if byte < 128:
            n |= byte << shift
            if n >> 64:
                break
            return n >> 1 ^ -(n & 1), at
        n |= (byte & 127) << shift
    raise ValueError("an integer is longer than 64 bits")


# The six bytes of instants met before (all from 1987 to 2039 have six): a look-up is five times as fast as reading.
KNOWN_INSTANTS: Final[dict[bytes, int]] = {}


def read_instant(body: bytes, at: int) -> tuple[int, int]:
    """The same as `read_long`, and keeps what it read in `KNOWN_INSTANTS` for callers that look there first."""
    value, end = read_long(body, at)
    if end - at == INSTANT_BYTES:
        if len(KNOWN_INSTANTS) >= MAX_CACHED_INSTANTS:
            KNOWN_INSTANTS.clear()
        KNOWN_INSTANTS[body[at:end]] = value
    return value, end


def read_size(body: bytes, at: int) -> tuple[int, int]:
    """The length of a string or of bytes, and the place after it; raises ValueError if it is below 0."""
    size, at = read_long(body, at)
    if size < 0:
        raise ValueError("a length is below 0")
    return size, at


def read_count(body: bytes, at: int) -> tuple[int, int]:
    """How many items a block of an array or a map holds, and the place after it.

    A count below 0 says that the block's size in bytes follows, which is of no use here.
    """
    count, at = read_long(body, at)
    if count < 0:
        _, at = read_long(body, at)
    return abs(count), at
