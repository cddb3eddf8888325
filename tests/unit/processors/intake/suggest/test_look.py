"""What is looked at of a file: its cells without guards, all rows of its beginning and some of its end."""

from pathlib import Path

import pytest

from processors.intake.input_records import InputRefused
from processors.intake.suggest.look import HEAD_BYTES, TAIL_BYTES, look_at
from processors.intake.suggest.propose import Proposal, propose

SALES = """\
订单号,支付时间,会员手机号,商品名称,商品数量,订单状态,实付金额
3764097390372403186,2026-11-30 20:58:31,13800000001,红茶,2,已完成,36.00
3764097390372403187,2026-11-30 20:59:31,13800000002,绿茶,1,已完成,18.00
"""


def proposed(tmp_path: Path, text: str, encoding: str = "utf-8") -> Proposal:
    """The mapping that is proposed for a file with this text."""
    file = tmp_path / "sales.csv"
    file.write_bytes(text.encode(encoding))
    return propose(look_at(file, "sales.csv"), {}, "sales")


@pytest.mark.parametrize("guarded", ["`{}", "'{}", "{}\t", "\t{}", '"=""{}"""', " {} "])
def test_guards_of_spreadsheets_hide_nothing(tmp_path: Path, guarded: str) -> None:
    header, *rows = SALES.splitlines()
    cells = [",".join(guarded.format(cell) for cell in row.split(",")) for row in rows]
    assert proposed(tmp_path, "\n".join([header, *cells])).settings == proposed(tmp_path, SALES).settings


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    "text",
    [
        "<html><body><table><tr><td>订单编号</td></tr></table>",
        "\r\n <!DOCTYPE html>\n<html>",
        "<table border=1>",
        '<?xml version="1.0"?>\n<Workbook>',
        "<META charset=utf-8><TABLE>",
    ],
)
def test_a_web_page_is_told_as_such(tmp_path: Path, text: str, encoding: str) -> None:
    with pytest.raises(InputRefused, match="this is a web page") as refused:
        proposed(tmp_path, text, encoding)
    assert "save it as CSV UTF-8" in str(refused.value)


def dated(*dates: str) -> str:
    """Orders of these dates."""
    rows = [f"{at},{date} 9:05 PM,c-{at % 9},TEE,1,19.99\n" for at, date in enumerate(dates)]
    return "Order #,Order Date,Customer ID,SKU,Qty,Amount\n" + "".join(rows)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030"])
def test_one_date_far_down_or_at_the_end_tells_the_order_of_all(tmp_path: Path, encoding: str) -> None:
    for at in (700, 2_000, -1):
        dates = ["3/3/2026"] * 2_500 if at >= 0 else ["3/3/2026"] * 12_000
        dates[at] = "3/13/2026"
        proposal = proposed(tmp_path, dated(*dates), encoding)
        assert proposal.settings["date_order"] == "mdy"
        assert "date_order" not in proposal.unsure


def test_how_far_was_looked_is_said_where_no_date_tells(tmp_path: Path) -> None:
    short = proposed(tmp_path, dated("3/3/2026", "3/4/2026"))
    assert short.unsure["date_order"].endswith("no row tells")
    text = dated(*["3/3/2026"] * 20_000)
    table = look_at(tmp_path / "sales.csv", "sales.csv")
    assert table.is_whole
    doubt = proposed(tmp_path, text).unsure["date_order"]
    table = look_at(tmp_path / "sales.csv", "sales.csv")
    assert doubt.endswith(f"no row tells of the first {len(table.rows):,} and the last {len(table.tail):,}")
    looked_at = sum(len(",".join(row)) + 1 for row in [*table.rows, *table.tail])
    assert HEAD_BYTES + TAIL_BYTES - 200 < looked_at <= HEAD_BYTES + TAIL_BYTES
