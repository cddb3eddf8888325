"""The files of one command are one input: what stands in which file, and in which sequence they are given."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from processors.intake.input_files import open_input
from processors.intake.mapping import parse_mapping
from processors.intake.merge import gather
from processors.intake.refusal import Refusal
from schemas.facts import PurchaseRecorded

T: Final = "2026-11-01 10:00:00"
HEADER: Final = "o,t,m,k,a"
SETTINGS: Final[dict[str, Any]] = {
    "type": "PurchaseRecorded",
    "source": "shop",
    "timezone": "Europe/Berlin",
    "fields": {"event_id": "o", "order_id": "o", "occurred_at": "t", "member_id": "m"},
    "constants": {"currency": "EUR"},
    "lines": {"sku": "k", "amount_minor": "a"},
    "scale": {"amount_minor": 100},
    "group_by": "o",
}
ANNA: Final = f"1,{T},anna,x,1.00"
BOB: Final = f"2,{T},bob,x,5.00"
CARL: Final = f"3,{T},carl,x,2.00"


class Taken(NamedTuple):
    """What a command makes of its files: the lines of each order, what was refused, and what people are told."""

    orders: dict[str, list[tuple[str, int]]]
    refused: dict[str, Refusal]
    notes: list[str]


def take(scratch: Path, files: Mapping[str, Sequence[str] | bytes], **settings: Any) -> Taken:
    """Give files of these names to one command, in this sequence; each is its rows below a header, or its bytes."""
    how = parse_mapping(SETTINGS | settings)
    inputs = []
    for name, rows in files.items():
        content = rows if isinstance(rows, bytes) else "".join(f"{row}\n" for row in (HEADER, *rows)).encode()
        (scratch / name).write_bytes(content)
        inputs.append(open_input(scratch / name, mapping=how))
    with gather(inputs) as gathered:
        arrived = list(gathered.arrivals)
        notes = gathered.survey.notes
    orders: dict[str, list[tuple[str, int]]] = {}
    for one in arrived:
        if one.fact is not None:
            assert isinstance(one.fact, PurchaseRecorded)
            assert one.fact.event_id not in orders, "an order comes once"
            orders[one.fact.event_id] = [(line.sku, line.amount_minor) for line in one.fact.lines]
    refused = {one.refusal.event_id or one.raw.decode(): one.refusal for one in arrived if one.refusal is not None}
    return Taken(orders, refused, notes)


def sums(taken: Taken) -> dict[str, int]:
    """What each order adds up to."""
    return {key: sum(amount for _, amount in lines) for key, lines in taken.orders.items()}


# ------------------------------------------------------------------------------------------------ files without rows


BLANK: Final = [
    b"\n\n",
    b"  \n \t\n",
    b"\r\n",
    b"\xef\xbb\xbf",
    b"\xef\xbb\xbf\n",
    b"sep=;",
    b"sep=,\n\n",
    b",,,\n",
    b"\x1a",
]


@pytest.mark.parametrize("content", BLANK)
@pytest.mark.parametrize("fill", [False, True])
def test_a_file_of_blank_lines_alone_holds_no_orders(tmp_path: Path, content: bytes, fill: bool) -> None:  # noqa: FBT001 - a case of a table
    taken = take(tmp_path, {"a.csv": [ANNA], "blank.csv": content, "b.csv": [BOB]}, fill=fill)
    assert sums(taken) == {"1": 100, "2": 500}
    assert taken.notes == ["blank.csv: there are no records in this file: no row below its header makes one"]
    alone = open_input(tmp_path / "blank.csv", mapping=parse_mapping(SETTINGS))
    assert list(alone.records()) == []


def test_a_file_of_blank_lines_alone_in_utf_16_holds_no_orders(tmp_path: Path) -> None:
    taken = take(tmp_path, {"blank.csv": "\r\n\r\n".encode("utf-16")}, encoding="utf-16")
    assert (taken.orders, taken.refused) == ({}, {})
