"""Encodes the messages between an importing process and those that decide its partition groups, as MessagePack.

The facts have passed the door already, so they are decoded without checking their text patterns again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from processors.embedded.partition_group import LineToScore, Sealed
from processors.intake.fact_shapes import SHAPES, AnyShape, build
from processors.partition_scorer import Owed
from schemas.facts import ClockTicked, RefereePurchased, RulesetPublished

_SHAPES: Final = frozenset(SHAPES.values())


class Ready(msgspec.Struct, frozen=True):
    """What a group says when its partitions are recovered to the end of the books, the same for all of them."""

    last_tick: int
    publications: list[RulesetPublished]


class _LineToScore(msgspec.Struct, array_like=True, gc=False):
    partition: int
    fact: AnyShape | RefereePurchased | ClockTicked | RulesetPublished
    member_id: str | None
    source: str
    record: int


class _LinesToScore(msgspec.Struct, array_like=True, gc=False):
    received_at: int
    lines: list[_LineToScore]


encode: Final = msgspec.msgpack.Encoder().encode
decode_owed: Final = msgspec.msgpack.Decoder(list[Owed]).decode
decode_sealed: Final = msgspec.msgpack.Decoder(Sealed).decode
decode_ready: Final = msgspec.msgpack.Decoder(Ready).decode
_decode_lines: Final = msgspec.msgpack.Decoder(_LinesToScore).decode


def encode_lines(lines: Sequence[LineToScore], received_at: int) -> bytes:
    """Lines to be scored."""
    return encode((received_at, lines))


def decode_lines(data: bytes) -> tuple[list[LineToScore], int]:
    """Lines to be scored, and when they reached us."""
    told = _decode_lines(data)
    lines = [
        LineToScore(each.partition, _fact(each.fact), each.member_id, each.source, each.record) for each in told.lines
    ]
    return lines, told.received_at


def _fact(told: Any) -> Any:
    return build(told) if type(told) in _SHAPES else told
