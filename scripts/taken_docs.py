"""Makes the table of what is taken and what is refused, per format, by showing each sample to the readers."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from processors.intake.input_records import Read
from schemas.instants import format_instant
from scripts.event_files import FORMATS, Event

TITLE: Final = "taken and refused"

_NOT_GIVEN: Final = "not given"
_CANNOT: Final = "–"
_TEXT: Final = ("JSON", "CSV", "Parquet, mapped", "Parquet", "Avro")
_NESTED: Final = ("JSON", "Parquet", "Avro")
_TYPED: Final = ("JSON", "Parquet, mapped", "Parquet", "Avro")

_EVENT: Final[Event] = {
    "type": "PurchaseRecorded",
    "source": "pos",
    "event_id": "e-1",
    "occurred_at": "2026-11-11T11:11:11Z",
    "order_id": "o-1",
    "member_id": "anna",
    "currency": "EUR",
    "lines": [{"sku": "espresso", "amount_minor": 1250}],
}


class Sample(NamedTuple):
    """One value of one field: how the page calls it, the field's path, the value, and the formats that can hold it."""

    words: str
    path: str
    value: Any
    formats: tuple[str, ...] = _TEXT


SAMPLES: Final = (
    Sample("nothing (null, a blank cell) for an optional field", "store_id", None),
    Sample("nothing for a whole number that may be left out", "lines.quantity_milli", None),
    Sample("nothing for an attribute", "attributes.coupon", None),
    Sample("a blank member", "member_id", "  "),
    Sample("a blank id that is needed", "order_id", " "),
    Sample("an id with blanks around it", "member_id", " 4711  "),
    Sample("an id with a line break within", "member_id", "47\n11"),
    Sample("an id that is a whole number", "member_id", 4711),
    Sample("an id that is a number with a point, below 2^53", "member_id", 4711.0),
    Sample(
        "an id that is a number with a point, from 2^53 on",
        "member_id",
        9007199254740992.0,
        ("JSON", "Parquet", "Avro"),
    ),
    Sample("an id as a spreadsheet shows a long one: `4.98765E+15`", "member_id", "4.98765E+15"),
    Sample("a word for nobody as a member: `NULL`, `undefined`, `guest`", "member_id", "undefined"),
    Sample("a number for nobody as a member: `0`, `-1`", "member_id", "0"),
    Sample("a member of whom characters are hidden: `138****1234`", "member_id", "138****1234"),
    Sample(
        "a long number whose last digits are zeros, as a person, an order or an event", "order_id", "4987650000000000"
    ),
    Sample("an id with lost letters: `M\ufffdller`, `???`", "member_id", "M\ufffdller"),
    Sample("an error of a spreadsheet as an id: `#REF!`", "lines.sku", "#REF!"),
    Sample("an id of 67 Chinese characters (201 bytes)", "member_id", "员" * 67),
    Sample("a currency in small letters", "currency", "usd"),
    Sample("an empty list of attributes, as PHP writes it", "attributes", [], ("JSON",)),
    Sample("a line break or a tab in free text", "tender", "gift\r\ncard"),
    Sample("a line break in an attribute", "attributes.note", "no sugar\nextra hot"),
    Sample("true as an attribute", "attributes.vip", value=True),
    Sample("3 as an attribute", "attributes.visits", 3),
    Sample("5000.0 as an attribute", "attributes.visits", 5000.0, _TYPED),
    Sample("a list as an attribute", "attributes.tags", ["a"], _NESTED),
    Sample("`1250.0` for a whole number", "lines.amount_minor", 1250.0),
    Sample('`"1250"` (text) for a whole number', "lines.amount_minor", "1250"),
    Sample('`"25.00"` (text) as an amount in minor units', "lines.amount_minor", "25.00"),
    Sample("12.5 as an amount in minor units", "lines.amount_minor", 12.5),
    Sample("`1.25E3` (text) as an amount", "lines.amount_minor", "1.25E3"),
    Sample("true as an amount", "lines.amount_minor", value=True),
    Sample("a time with `Z`", "occurred_at", "2026-11-11T11:11:11Z"),
    Sample("a time with a blank and an offset", "occurred_at", "2026-11-11 12:11:11+01:00"),
    Sample("a time as PostgreSQL writes it: `+01`", "occurred_at", "2026-11-11 12:11:11+01"),
    Sample("a time without an offset", "occurred_at", "2026-11-11T12:11:11"),
    Sample("milliseconds since 1970", "occurred_at", 1794395471000),
    Sample("seconds since 1970", "occurred_at", 1794395471),
    Sample("a time of 1997", "occurred_at", "1997-05-01T12:00:00Z"),
    Sample("a time of 1969", "occurred_at", "1969-12-31T12:00:00Z"),
)


def taken_table() -> tuple[str, list[str]]:
    """The head and the rows of the table."""
    head = f"| what is written | field | {' | '.join(FORMATS)} |"
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for sample in SAMPLES:
            cells = [outcome(sample, name, Path(folder)) if name in sample.formats else _CANNOT for name in FORMATS]
            rows.append(f"| {sample.words} | `{sample.path}` | {' | '.join(cells)} |")
    return head, rows


def outcome(sample: Sample, name: str, folder: Path) -> str:
    """What becomes of a sample in a format: the value that the fact has, or the reason why it is refused."""
    (read,) = FORMATS[name]([_with(sample)], folder)
    return _shown(read, sample.path)


def _with(sample: Sample) -> Event:
    parent, _, field = sample.path.rpartition(".")
    if parent == "lines":
        return _EVENT | {"lines": [_EVENT["lines"][0] | {field: sample.value}]}
    return _EVENT | {parent: {field: sample.value}} if parent else _EVENT | {field: sample.value}


def _shown(read: Read, path: str) -> str:
    if read.refusal is not None:
        return f"refused: `{read.refusal.reason}`"
    parent, _, field = path.rpartition(".")
    fact: Any = read.fact
    if field == "occurred_at":
        return format_instant(fact.occurred_at)
    holder = fact.lines[0] if parent == "lines" else fact
    value = fact.attributes.get(field) if parent == "attributes" else getattr(holder, field)
    if value is None or value == _default(holder, field):
        return _NOT_GIVEN
    return f'"{value}"' if isinstance(value, str) else str(value)


def _default(holder: Any, field: str) -> Any:
    """What a field holds that is not given; None for an attribute and for a field that must be given."""
    defaults: Mapping[str, Any] = dict(
        zip(reversed(type(holder).__struct_fields__), reversed(type(holder).__struct_defaults__), strict=False)
    )
    return defaults.get(field)
