"""A cell that is refused by itself is told as that, and not as rows of one order that disagree."""

from pathlib import Path
from typing import Any, Final

import pytest

from processors.intake.input_files import open_input
from processors.intake.mapping import parse_mapping
from processors.intake.merge import gather
from processors.intake.refusal import Refusal

ORDERS: Final[dict[str, Any]] = {
    "type": "PurchaseRecorded",
    "source": "till",
    "timezone": "Europe/Berlin",
    "date_order": "mdy",
    "fields": {"event_id": "order", "order_id": "order", "occurred_at": "time", "member_id": "card", "channel": "note"},
    "constants": {"currency": "EUR"},
    "lines": {"sku": "article", "amount_minor": "paid"},
    "scale": {"amount_minor": 100},
    "group_by": "order",
}
HEADER: Final = "order,time,card,article,paid,note"
BERT: Final = "2,3/1/2026 10:00,bert,bun,1.00,"


def refusals(folder: Path, *rows: str, files: int = 1) -> list[Refusal]:
    paths = [folder / f"p{at}.csv" for at in range(files)]
    for at, path in enumerate(paths):
        path.write_text("\n".join([HEADER, *rows[at::files], ""]))
    with gather([open_input(path, mapping=parse_mapping(ORDERS)) for path in paths]) as gathered:
        return [one.refusal for one in gathered.arrivals if one.refusal is not None]


@pytest.mark.parametrize("between", [[], [BERT]])
@pytest.mark.parametrize(("first", "second"), [("0", "0"), ("0", "anna"), ("anna", "0")])
def test_a_member_that_is_nobody(tmp_path: Path, between: list[str], first: str, second: str) -> None:
    rows = [f"1,3/1/2026 10:00,{first},tea,1.00,", *between, f"1,3/1/2026 10:00,{second},bun,1.00,"]
    (found,) = refusals(tmp_path, *rows)
    assert found.reason == "wrong_type"
    assert found.field == "member_id"
    at = f"line {len(rows) + 1}: " if first != "0" else ""
    assert found.message.startswith(f"{at}member_id is '0' in column 'card'")


def test_a_day_that_no_month_has(tmp_path: Path) -> None:
    (found,) = refusals(tmp_path, "1,3/1/2026 10:00,anna,tea,1.00,", "1,3/32/2026 10:00,anna,bun,1.00,")
    assert (found.reason, found.field) == ("invalid_time", "occurred_at")
    assert found.message.startswith("line 3: ")
    assert "'3/32/2026 10:00'" in found.message
    assert "of_first_row" not in found.message


def test_numbers_of_orders_that_a_spreadsheet_has_rounded_to_one(tmp_path: Path) -> None:
    rows = ["2.02611E+19,3/1/2026 10:00,anna,tea,1.00,", "2.02611E+19,3/2/2026 10:00,bert,bun,1.00,"]
    (found,) = refusals(tmp_path, *rows)
    assert (found.reason, found.field) == ("wrong_type", "event_id")
    assert "a spreadsheet shortened it" in found.message


def test_the_cell_that_is_refused_is_named_with_its_file(tmp_path: Path) -> None:
    rows = ["1,3/1/2026 10:00,anna,tea,1.00,", "1,3/32/2026 10:00,anna,bun,1.00,"]
    (found,) = refusals(tmp_path, *rows, files=2)
    assert found.reason == "invalid_time"
    assert "line 2 of " in found.message


def test_long_texts_are_shown_from_where_they_differ(tmp_path: Path) -> None:
    same = "a long note that the till prints below every receipt of this shop whatever was bought " * 2
    rows = [f"1,3/1/2026 10:00,anna,tea,1.00,{same}one", f"1,3/1/2026 10:00,anna,bun,1.00,{same}two"]
    (found,) = refusals(tmp_path, *rows)
    assert "one' in one and" in found.message
    assert "two' in the other" in found.message
