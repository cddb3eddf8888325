"""Ways to spoil what a publisher sends: bytes torn apart, and values that are odd but still JSON."""

import json
import random
from collections.abc import Callable
from typing import Any, Final

MAX_ROUNDS: Final = 4
MAX_SIZE: Final = 200_000

ODD_BYTES: Final = (
    b"\x00", b"\xc3\x01", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\n", b"\r", b"\r\n", b'"', b"'", b"\\",
    b"\\u0000", b"\\ud800", b"\\n", b",", b";", b":", b"{", b"}", b"[", b"]", b"null", b"NaN", b"-Infinity", b"1e999",
    b"-0", b"0.1", b"9" * 40, b"true", b'""', b"{}", b"[]", b'"type":', b'"a" :1,', b"\x7f", b"\x1b[2J",
    b"\xe2\x80\xa8", b"Obj\x01", b"PAR1",
)  # fmt: skip
ODD_VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63), 10**13, 10**13 + 1, 10**40, 0.0, -0.0, 0.5,
    12.0, 1e300, 5e-324, "", " ", "0", "-1", "null", "NaN", "\x00", "\n", "\x7f", "\u2028", "😀", "é" * 200, "x" * 201,
    "x" * 5_000, "EUR", "eur", "XXX", "PurchaseRecorded", "CheckedIn", "ClockTicked", "2026-11-11T11:11:11Z",
    "2026-02-30", "2026-11-11T11:11:11", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", 946_684_799_999,
    1_794_400_000, 253_402_300_800_000, [], {}, [[]], [{}], {"": ""}, {"a": None}, {"sku": "a"},
    [{"sku": "a", "amount_minor": 1}] * 3,
)  # fmt: skip


def spoil_bytes(chance: random.Random, content: bytes) -> bytes:
    """A few bytes changed, inserted, removed, doubled or moved."""
    for _ in range(chance.randint(1, MAX_ROUNDS)):
        at = chance.randint(0, len(content))
        until = min(len(content), at + chance.choice((1, 1, 2, 4, 16, 200)))
        content = chance.choice(_BYTE_WAYS)(chance, content, at, until)
    return content[:MAX_SIZE]


def spoil_event(chance: random.Random, event: dict[str, Any]) -> bytes:
    """An event with a few values replaced, fields removed, renamed or added, as JSON."""
    spoilt: Any = json.loads(json.dumps(event))
    for _ in range(chance.randint(1, MAX_ROUNDS)):
        holder = chance.choice(_holders(spoilt))
        _spoil_holder(chance, holder)
    text = json.dumps(
        spoilt, ensure_ascii=chance.random() < 0.5, separators=chance.choice(((",", ":"), (" , ", " : ")))
    )
    return text.encode("utf-8", "surrogatepass")


def _holders(value: Any) -> list[Any]:
    """The objects and lists in a value, itself included; at most one level of an odd value is below."""
    found, waiting = [], [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict | list):
            found.append(one)
            waiting.extend(one.values() if isinstance(one, dict) else one)
    return found


def _spoil_holder(chance: random.Random, holder: Any) -> None:
    odd = json.loads(json.dumps(chance.choice(ODD_VALUES)))
    if isinstance(holder, list):
        if holder and chance.random() < 0.7:
            holder[chance.randrange(len(holder))] = odd
        else:
            holder.insert(chance.randint(0, len(holder)), odd)
        return
    name = chance.choice([*holder, "x", "attributes", "member_id"])
    way = chance.random()
    if way < 0.6:
        holder[name] = odd
    elif way < 0.8:
        holder.pop(name, None)
    else:
        holder[chance.choice((name.upper(), f"{name}s", "", name[:-1], f"\x00{name}"))] = holder.pop(name, odd)


def _flip(chance: random.Random, content: bytes, at: int, until: int) -> bytes:
    return content[:at] + bytes(byte ^ (1 << chance.randrange(8)) for byte in content[at:until]) + content[until:]


def _replace(chance: random.Random, content: bytes, at: int, until: int) -> bytes:
    return content[:at] + chance.choice(ODD_BYTES) + content[until:]


def _insert(chance: random.Random, content: bytes, at: int, _until: int) -> bytes:
    return content[:at] + chance.choice(ODD_BYTES) * chance.choice((1, 1, 2, 100)) + content[at:]


def _remove(_chance: random.Random, content: bytes, at: int, until: int) -> bytes:
    return content[:at] + content[until:]


def _cut(_chance: random.Random, content: bytes, at: int, _until: int) -> bytes:
    return content[:at]


def _double(_chance: random.Random, content: bytes, at: int, until: int) -> bytes:
    return content[:until] + content[at:]


def _noise(chance: random.Random, content: bytes, at: int, until: int) -> bytes:
    return content[:at] + chance.randbytes(until - at) + content[until:]


_BYTE_WAYS: Final[tuple[Callable[[random.Random, bytes, int, int], bytes], ...]] = (
    _flip,
    _replace,
    _insert,
    _remove,
    _cut,
    _double,
    _noise,
)
