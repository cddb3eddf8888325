"""What tills and programs write that could cost points, or pay them to the wrong people, without anybody noticing."""

from pathlib import Path
from typing import Any, Final

import pytest

from processors.intake.input_records import Read
from schemas.facts import PurchaseRecorded
from tests.support.fact_samples import HEADER, facts, mapping, read_file

TIME: Final = "2026-11-02 10:00:00"


def told(read: Read) -> str:
    assert read.refusal is not None
    return read.refusal.message


def amounts_by_member(reads: list[Read]) -> dict[str | None, list[int]]:
    """What each member paid, line by line, of the orders that were taken."""
    purchases = [read.fact for read in reads if isinstance(read.fact, PurchaseRecorded)]
    return {purchase.member_id: [line.amount_minor for line in purchase.lines] for purchase in purchases}


NOTED: Final = HEADER.replace("\n", ",note\n")


@pytest.mark.parametrize(
    ("header", "rows", "settings"),
    [
        pytest.param(
            NOTED,
            [f'1,anna,{TIME},a,5.00,"extra hot', f"2,bert,{TIME},b,600.00,", f'3,carl,{TIME},c,7.00,19" rack, 2"'],
            {},
            id="a quote at the beginning of a note, and an inch sign two rows on",
        ),
        pytest.param(
            NOTED.replace(",", "\t"),
            [
                f'1\tanna\t{TIME}\ta\t5.00\t"extra hot',
                f"2\tbert\t{TIME}\tb\t600.00\t",
                f'3\tcarl\t{TIME}\tc\t7.00\track of 19"',
            ],
            {"delimiter": "tab"},
            id="a database's text, which knows no quotes",
        ),
        pytest.param(
            "order,category,member,time,sku,paid\n",
            [f'1,"x,anna,{TIME},a,5.00', f"2,y,bert,{TIME},b,600.00", f'3,z",carl,{TIME},c,7.00'],
            {"lines": {"sku": "sku", "category": "category", "amount_minor": "paid"}},
            id="a quote before the time",
        ),
        pytest.param(
            NOTED,
            [f'1,anna,{TIME},a,5.00,"extra hot', "2,,,b,600.00,", f'3,carl,{TIME},c,7.00,19"'],
            {"fill": True},
            id="a row that has no time of its own",
        ),
    ],
)
def test_a_quote_that_is_part_of_a_text_swallows_no_orders(
    tmp_path: Path, header: str, rows: list[str], settings: dict[str, Any]
) -> None:
    reads = read_file(tmp_path / "till.csv", header + "\n".join(rows) + "\n", mapping(**settings))
    first, *others = reads
    assert "a quote opens in line 2 and is still open in line 3, which is a row of its own" in told(first)
    assert b"600.00" not in first.raw
    assert [read.record for read in others] == [2, 3]


def test_a_note_of_several_lines_is_still_one_cell(tmp_path: Path) -> None:
    content = NOTED + f'1,anna,{TIME},a,5.00,"no sugar, please\nextra hot, 2, 3\n2026-11-02"\n2,bert,{TIME},b,6.00,\n'
    reads = read_file(tmp_path / "till.csv", content, mapping(attributes={"note": "note"}))
    first, second = facts(reads)
    assert first.attributes == {"note": "no sugar, please extra hot, 2, 3 2026-11-02"}
    assert second.event_id == "2"
