"""The hostile corpus as a test reads it: which files there are, what each must come to, and what it came to."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

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
