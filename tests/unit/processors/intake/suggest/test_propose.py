"""What is proposed for exports that no preset fits: by names in several languages, and by what the cells look like."""

from pathlib import Path
from typing import Any

import pytest

from processors.intake.suggest.cells_seen import Home, currency_of, date_order, decimal_mark, is_date, zone_of
from processors.intake.suggest.look import HEAD_BYTES, encoding_of, look_at, whole_lines
from processors.intake.suggest.propose import Proposal, propose, source_name
from processors.intake.suggest.yaml_text import as_yaml
from processors.ruleset.yaml_text import read_yaml


def proposed(tmp_path: Path, text: str, encoding: str = "utf-8") -> Proposal:
    file = tmp_path / "sales.csv"
    file.write_bytes(text.encode(encoding))
    return propose(look_at(file, "sales.csv"), {}, "sales")


GERMAN = """\
Bonnummer;Datum;Uhrzeit;Filiale;Kundennummer;Artikel;Warengruppe;Menge;Betrag;Zahlungsart
7001;02.11.2025;09:15;M1;K-7;Espresso;Kaffee;2;1.005,00 €;bar
7001;02.11.2025;09:15;M1;K-7;Bohnen;Kaffee;1;12,50 €;bar
7002;13.11.2025;10:00;M1;;Croissant;Gebäck;1;2,40 €;Karte
"""
CHINESE = """\
小票号,付款时间,会员号,门店,商品名称,数量,实付金额（元）,状态
A1,2025/11/2 9:05,8001,南京东路店,拿铁,2,36.00,已完成
A2,2025/11/2 9:06,,南京东路店,蛋糕,1,25.00,已退款
合计,,,,,,61.00,
"""
ENGLISH = """\
Receipt No,Date,Store,Till,Customer,Product,Qty,Unit Price,Discount,Total
1,11/13/2025 09:00,s1,1,c-1,Mug,2,20.00,1.00,59.00
1,11/13/2025 09:00,s1,1,c-1,Tee,1,20.00,0.00,59.00
1,11/13/2025 09:30,s1,2,c-2,Mug,1,20.00,0.00,20.00
"""


def test_a_german_till(tmp_path: Path) -> None:
    assert proposed(tmp_path, GERMAN).settings == {
        "type": "PurchaseRecorded",
        "source": "sales",
        "timezone": "Europe/Berlin",
        "date_order": "dmy",
        "fields": {
            "event_id": "Bonnummer",
            "order_id": "Bonnummer",
            "occurred_at": ["Datum", "Uhrzeit"],
            "member_id": "Kundennummer",
            "store_id": "Filiale",
            "tender": "Zahlungsart",
        },
        "constants": {"currency": "EUR"},
        "lines": {"sku": "Artikel", "category": "Warengruppe", "quantity_milli": "Menge", "amount_minor": "Betrag"},
        "scale": {"amount_minor": "currency", "quantity_milli": 1000},
        "decimal": ",",
        "group_by": "Bonnummer",
        "delimiter": ";",
    }


MANY_TITLES = "".join(f"Zeile {n} \u00fcber der Tabelle\n" for n in range(24))


@pytest.mark.parametrize(
    "titles", [MANY_TITLES, "Kiosk M1\nZeitraum;1.11. bis 30.11.2026\n\n", "Kiosk M1;;;;;;;;;\n;;;;;;;;;\n"]
)
def test_titles_above_the_header_are_passed_over(tmp_path: Path, titles: str) -> None:
    assert proposed(tmp_path, titles + GERMAN).settings == proposed(tmp_path, GERMAN).settings


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_chinese_shop_with_a_refund_and_a_total(tmp_path: Path, encoding: str) -> None:
    proposal = proposed(tmp_path, CHINESE, encoding)
    said = {"encoding": encoding} if not encoding.startswith("utf-8") else {}
    assert proposal.settings == {
        "type": "PurchaseRecorded",
        "source": "sales",
        "timezone": "Asia/Shanghai",
        "fields": {
            "event_id": "小票号",
            "order_id": "小票号",
            "occurred_at": "付款时间",
            "member_id": "会员号",
            "store_id": "门店",
        },
        "constants": {"currency": "CNY"},
        "lines": {"sku": "商品名称", "quantity_milli": "数量", "amount_minor": "实付金额（元）"},
        "scale": {"amount_minor": "currency", "quantity_milli": 1000},
        "group_by": "小票号",
        "only": {"状态": ["已完成"]},
        "leave_out": {"*first": ["合计"]},
        **said,
    }
    assert set(proposal.unsure) == {"source", "timezone", "only.状态"}


def test_numbers_that_begin_anew_at_each_till_and_an_order_s_own_total(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, ENGLISH)
    key = ["Store", "Till", "Receipt No"]
    assert proposal.settings["fields"]["event_id"] == key
    assert proposal.settings["group_by"] == key
    assert "comes again" in proposal.unsure["fields.event_id"]
    assert proposal.settings["lines"]["amount_minor"] == {"times": ["Qty", "Unit Price"], "minus": ["Discount"]}
    assert proposal.settings["date_order"] == "mdy"


def test_date_and_time_in_two_columns_that_are_both_called_time(tmp_path: Path) -> None:
    text = "小票号,时间,日期,会员号,金额\nA1,9:05,2025/11/2,8001,36.00\n"
    assert proposed(tmp_path, text).settings["fields"]["occurred_at"] == ["日期", "时间"]


@pytest.mark.parametrize(
    "cell",
    ["2025-11-02", "2025/11/2 9:05", "2025年11月2日", "02.11.2025 09:15", "11/02/25", "20251102", "20251102091500"],
)
def test_a_date_is_known_by_its_looks(cell: str) -> None:
    assert is_date([cell])
    assert not is_date(["9:05", "12.50", "7001"])


def test_short_numbers_may_begin_anew(tmp_path: Path) -> None:
    text = "till;receipt;time;card;article;paid\n1;0001;2025-11-01 09:15:00;anna;espresso;25.00\n"
    assert "[till, time, receipt]" in proposed(tmp_path, text).unsure["fields.event_id"]


def test_what_the_file_does_not_tell_is_that_of_the_programme(tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text("order id,date,member,amount\nA-1,2025-11-02 09:00,anna,5.00\n", encoding="utf-8")
    settings = propose(look_at(file, "sales.csv"), {}, "sales", Home("CHF", "Europe/Zurich")).settings
    assert (settings["constants"], settings["timezone"]) == ({"currency": "CHF"}, "Europe/Zurich")


def test_another_currency_than_the_programme_s_is_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text("order id,date,member,amount\nA-1,2025-11-02 09:00,anna,$5.00\n", encoding="utf-8")
    remarks = propose(look_at(file, "sales.csv"), {}, "sales", Home("CHF", "Europe/Zurich")).remarks
    assert remarks == ["The rules in this folder pay for CHF alone: orders in USD earn nothing by them."]


def test_an_export_without_order_numbers_has_an_order_in_each_row(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, "date,member,amount\n2025-11-02T09:00:00Z,anna,5.00\n")
    assert proposal.settings["fields"]["event_id"] == ["@file", "@row"]
    assert "group_by" not in proposal.settings
    assert "timezone" not in proposal.settings
    assert "fields.event_id" in proposal.unsure


def test_blank_cells_below_the_first_row_are_filled(tmp_path: Path) -> None:
    text = "order id,date,member,amount\no1,2025-11-02 09:00,anna,5.00\no1,,,6.00\n"
    assert proposed(tmp_path, text).settings["fill"] is True


def test_a_masked_member_is_warned_of(tmp_path: Path) -> None:
    text = "order id,date,member,amount\no1,2025-11-02 09:00,a**a,5.00\n"
    assert "masked" in proposed(tmp_path, text).unsure["fields.member_id"]
    assert "mail addresses" in proposed(tmp_path, text.replace("a**a", "a@b.example")).unsure["fields.member_id"]


@pytest.mark.parametrize("text", [GERMAN, CHINESE, ENGLISH], ids=["German", "Chinese", "English"])
def test_what_is_written_is_read_back(tmp_path: Path, text: str) -> None:
    proposal = proposed(tmp_path, text)
    tree = read_yaml(as_yaml(proposal, "sales.csv"))
    assert not tree.faults
    assert tree.data == as_texts(proposal.settings)


def as_texts(value: Any) -> Any:
    """Settings as YAML is read: every scalar as text."""
    if isinstance(value, dict):
        return {key: as_texts(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_texts(inner) for inner in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize(
    ("cells", "order", "is_sure"),
    [
        (["2025-11-02"], "ymd", True),
        (["2025/1/5 9:05"], "ymd", True),
        (["13.11.2025", "02.11.2025"], "dmy", True),
        (["11/13/25", "11/02/25"], "mdy", True),
        (["02.11.2025"], "dmy", False),
        (["11/02/25"], "mdy", False),
    ],
)
def test_the_order_of_a_date(cells: list[str], order: str, is_sure: bool) -> None:  # noqa: FBT001 - a case of a table
    found, doubt = date_order(cells)
    assert (found, not doubt) == (order, is_sure)


@pytest.mark.parametrize(
    ("cells", "mark", "is_sure"),
    [
        (["12.50", "5"], ".", True),
        (["1,299.00"], ".", True),
        (["12,50"], ",", True),
        (["1.299,00 €"], ",", True),
        (["5", "7"], ".", True),
        (["1,250"], ".", False),
        (["12,50", "12.50"], ".", False),
    ],
)
def test_the_decimal_mark(cells: list[str], mark: str, is_sure: bool) -> None:  # noqa: FBT001 - a case of a table
    found, doubt = decimal_mark(cells)
    assert (found, not doubt) == (mark, is_sure)


@pytest.mark.parametrize(
    ("names", "cells", "currency"),
    [
        (["Amount (CHF)"], ["5.00"], "CHF"),
        (["Amount"], ["$5.00"], "USD"),
        (["金额"], ["￥5.00"], "CNY"),
        (["金額", "のり"], ["¥500"], "JPY"),
        (["Betrag"], ["5,00"], "EUR"),
    ],
)
def test_the_currency(names: list[str], cells: list[str], currency: str) -> None:
    assert currency_of(names, cells)[0] == currency


def test_the_zone_of_a_north_american_till() -> None:
    assert zone_of(["Time Zone"], ["Pacific Time (US & Canada)"]) == ("America/Los_Angeles", "")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("Käse", "utf-8"), ("Käse, Gemüse, Brühe", "windows-1252"), ("订单编号,金额", "gb18030"), ("a,b", "utf-16-le")],
)
def test_the_encoding(text: str, encoding: str) -> None:
    assert encoding_of(text.encode(encoding)) == encoding.removesuffix("-le")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "gb18030"])
def test_of_a_long_file_only_whole_lines_are_looked_at(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "long.csv"
    file.write_bytes(("订单编号,金额\n" + "A-1,5.00\n" * 40_000).encode(encoding))
    beginning = whole_lines(file)
    assert HEAD_BYTES - 100 < len(beginning) <= HEAD_BYTES
    assert beginning.decode(encoding).endswith("A-1,5.00\n")
    assert {tuple(row) for row in look_at(file, "long.csv").rows} == {("A-1", "5.00")}


@pytest.mark.parametrize(("name", "source"), [("Shop Export 2025-11 (3).csv", "shop-export"), ("订单.csv", "shop")])
def test_a_source_is_made_of_the_file_s_name(name: str, source: str) -> None:
    assert source_name(name) == source


POSITIONS = """\
Filiale;Kasse;BonNr;Pos;Datum;Uhrzeit;ArtNr;Bezeichnung;Betrag;KundenkartenNr
F1;1;0001;1;23.11.2026;07:05;2010;Brötchen;1,20;0000815042
F1;1;0001;2;23.11.2026;07:05;2011;Kaffee;2,50;0000815042
F1;2;0001;1;23.11.2026;07:06;2010;Brötchen;0,60;
F1;1;0001;1;24.11.2026;07:02;2010;Brötchen;0,60;0004711823
"""


def test_the_position_of_a_row_in_its_receipt_is_no_till(tmp_path: Path) -> None:
    settings = proposed(tmp_path, POSITIONS).settings
    assert settings["fields"]["event_id"] == ["Filiale", "Kasse", "Datum", "BonNr"]
    assert settings["fields"]["member_id"] == "KundenkartenNr"
    assert settings["lines"]["sku"] == "ArtNr"
    without_tills = proposed(tmp_path, POSITIONS.replace("Kasse", "Fach")).settings
    assert without_tills["fields"]["event_id"] == ["Filiale", "Datum", "BonNr"]


def test_numbers_that_are_blank_below_the_first_row_are_filled(tmp_path: Path) -> None:
    text = CHINESE.replace("A2,2025/11/2 9:06,,", ",,,")
    assert proposed(tmp_path, text).settings["fill"] is True
