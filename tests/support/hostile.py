"""The hostile corpus as a test reads it: which files there are, what each must come to, and what it came to."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from processors.intake.door import judge_time
from processors.intake.input_files import Input, open_input
from processors.intake.input_records import Read
from processors.intake.mapping import ColumnMapping, parse_mapping
from processors.intake.refusal import Refusal
from schemas.instants import parse_instant

CORPUS: Final = Path(__file__).parents[1] / "hostile"
NOW: Final = parse_instant("2026-12-01T00:00:00Z")
HORIZON_MS: Final = 90 * 86_400_000


@cache
def orders_mapping() -> ColumnMapping:
    """The mapping through which the corpus's tables are read."""
    return parse_mapping(json.loads((CORPUS / "orders.mapping.json").read_text()))


def corpus() -> list[Path]:
    """The committed cases."""
    return [path for path in sorted(CORPUS.glob("[0-9]*")) if path.suffix != ".expected"]


def opened(path: Path) -> Input:
    """A case as an import would open it."""
    return open_input(path, mapping=None if "without-a-mapping" in path.name else orders_mapping())


def refusal_of(read: Read) -> Refusal | None:
    """Why a record is not taken, the clock included; None if it is."""
    if read.fact is None:
        return read.refusal
    return judge_time(read.fact, received_at=NOW, last_tick=NOW, horizon_ms=HORIZON_MS, now=NOW)


def outcome(read: Read) -> Any:
    """What became of a record, as `.expected` files write it."""
    refusal = refusal_of(read)
    if refusal is None:
        return "good"
    return {"reason": refusal.reason, "field": refusal.field, "says": refusal.message}


def is_as_expected(found: Any, expected: Any) -> bool:
    """Whether an outcome is the expected one; a message need only contain what is expected."""
    if isinstance(expected, str) or isinstance(found, str):
        return bool(found == expected)
    return (
        found["reason"] == expected["reason"]
        and found["field"] == expected.get("field", found["field"])
        and expected.get("says", "") in found["says"]
    )


EVENT: dict[str, Any] = {
    "type": "PurchaseRecorded",
    "source": "pos",
    "event_id": "bad-1",
    "occurred_at": "2026-11-11T11:11:11Z",
    "order_id": "o-bad",
    "member_id": "m-1",
    "currency": "EUR",
    "lines": [{"sku": "espresso", "amount_minor": 350}],
}
GOOD_LINE = json.dumps(EVENT | {"event_id": "good-1", "order_id": "o-good"}).encode() + b"\n"
CSV_HEAD = b"order,member,time,store,sku,paid,quantity\n"
CSV_GOOD = b"o-good,m-1,2026-11-11 12:11:11,s-1,espresso,3.50,1\n"


class LargeCase(NamedTuple):
    """A file to be made: its name, its bytes, and what becomes of its records, as in an `.expected` file."""

    name: str
    content: Callable[[], bytes]
    outcomes: list[Any]


def large_cases() -> list[LargeCase]:
    """All of them; each holds one hostile record and then a good one."""
    row = b"o-1,m-1,2026-11-11 12:11:11,s-1,"
    return [
        _json("ten-megabytes-of-text", lambda: _event(member_id="m" * 10_000_000), "too_large"),
        _json("ten-megabytes-of-blanks", lambda: b" " * 10_000_000 + _event(), "too_large"),
        _json("ten-megabytes-of-brackets", lambda: b"[" * 10_000_000, "too_large"),
        _json("one-byte-too-many", lambda: _padded(1_000_001), "too_large"),
        _json("brackets-within-the-bound", lambda: b"[" * 900_000, "malformed", says="nested"),
        _json("objects-within-the-bound", lambda: _objects(150_000), "malformed", says="nested"),
        _json("nested-attributes", lambda: _event(attributes="@").replace(b'"@"', _objects(9_000)), "malformed"),
        _json("number-of-900000-digits", lambda: _event(order_id="@").replace(b'"@"', b"9" * 900_000), "out_of_range"),
        _json("lines-1001", lambda: _event(lines=EVENT["lines"] * 1_001), "out_of_range", "lines", "1,000"),
        _json("fields-30000", lambda: _event(currency="???", **_names(30_000)), "unknown_currency", "currency"),
        _json("attributes-20000", lambda: _event(attributes=_names(20_000)), "out_of_range", "attributes"),
        _csv("order-of-1500-rows", lambda: (row + b"espresso,3.50,1\n") * 1_500, "out_of_range", "lines"),
        _csv("open-quote-and-two-megabytes", lambda: row + b'"' + b"x" * 2_000_000 + b"\n", "too_large"),
        _csv("cell-of-half-a-megabyte", lambda: row + b'"' + b"x" * 500_000 + b'",3,1\n', "malformed"),
    ]


def _objects(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


def _names(count: int) -> dict[str, str]:
    return {f"x{n}": "1" for n in range(count)}


def _event(**fields: Any) -> bytes:
    return json.dumps(EVENT | fields).encode()


def _padded(size: int) -> bytes:
    short = _event(tender="")
    return short.replace(b'"tender": ""', b'"tender": "' + b"x" * (size - len(short)) + b'"')


def _json(name: str, bad: Callable[[], bytes], reason: str, field: str = "", says: str = "") -> LargeCase:
    outcome = {"reason": reason, "field": field, "says": says}
    return LargeCase(f"{name}.jsonl", lambda: bad() + b"\n" + GOOD_LINE, [outcome, "good"])


def _csv(name: str, bad: Callable[[], bytes], reason: str, field: str = "") -> LargeCase:
    outcome = {"reason": reason, "field": field, "says": ""}
    return LargeCase(f"{name}.csv", lambda: CSV_HEAD + bad() + CSV_GOOD, [outcome, "good"])
