"""Which column is proposed as what was paid for a line: by names in six languages, and by arithmetic."""

from pathlib import Path
from typing import Any

import pytest

from processors.intake.suggest.look import look_at
from processors.intake.suggest.propose import Proposal, propose

# Each with the settings that a person would write for it.
EXPORTS: dict[str, tuple[str, dict[str, Any]]] = {
    "a Chinese shop, whose discount is not taken off the lines' sums": (
        (
            "订单编号,付款时间,会员手机号,商品名称,单价,数量,商品小计,优惠金额,运费,实付金额\n"
            "2026110200001,2026/11/2 9:05,13800000001,拿铁,18.00,2,36.00,3.00,0.00,58.00\n"
            "2026110200001,2026/11/2 9:05,13800000001,蛋糕,25.00,1,25.00,0.00,0.00,58.00\n"
        ),
        {
            "event_id": "订单编号",
            "occurred_at": "付款时间",
            "member_id": "会员手机号",
            "amount_minor": {"of": "商品小计", "minus": ["优惠金额"]},
        },
    ),
    "a Chinese till, whose date and time have names of their own": (
        (
            "流水单号,营业日期,结账时间,会员卡号,菜品名称,份数,原价,折扣,应收金额,实收金额\n"
            "S001,2026-11-02,12:05:11,V001,牛肉面,1,28.00,2.00,28.00,26.00\n"
        ),
        {
            "event_id": "流水单号",
            "occurred_at": ["营业日期", "结账时间"],
            "member_id": "会员卡号",
            "amount_minor": "实收金额",
        },
    ),
    "a German shop, whose sum has the shipping in it": (
        (
            "Bestellnr;Bestellt am;Kunden-E-Mail;Artikel;Stk.;Preis;Versandkosten;Gesamtsumme\n"
            "A-5001;2026-11-02 10:00:00;K-1;Buch;1;12,50;2,90;15,40\n"
        ),
        {
            "event_id": "Bestellnr",
            "occurred_at": "Bestellt am",
            "member_id": "Kunden-E-Mail",
            "amount_minor": {"of": "Gesamtsumme", "minus": ["Versandkosten"]},
        },
    ),
    "a Spanish till, whose total is that of the order": (
        (
            "Nº de ticket;Fecha;Hora;Cliente;Artículo;Cantidad;Precio unitario;Importe;Total\n"
            "T-1;02/11/2026;09:15;C-1;Café;2;1,50;3,00;5,50\nT-1;02/11/2026;09:15;C-1;Bollo;1;2,50;2,50;5,50\n"
        ),
        {
            "event_id": "Nº de ticket",
            "occurred_at": ["Fecha", "Hora"],
            "member_id": "Cliente",
            "amount_minor": "Importe",
        },
    ),
    "a French shop": (
        (
            "Numéro de facture;Date de facture;Code client;Désignation;Quantité;Montant HT;Montant TTC\n"
            "F1;02/11/2026;C1;Table;1;100,00;120,00\n"
        ),
        {
            "event_id": "Numéro de facture",
            "occurred_at": "Date de facture",
            "member_id": "Code client",
            "amount_minor": "Montant TTC",
        },
    ),
    "a Japanese shop": (
        (
            "注文番号,注文日,注文時刻,購入者ID,商品名,個数,販売価格,送料,お支払い金額\n"
            "A1,2026/11/02,10:00:00,u1,本,1,1200,300,1500\n"
        ),
        {
            "event_id": "注文番号",
            "occurred_at": ["注文日", "注文時刻"],
            "member_id": "購入者ID",
            "amount_minor": {"of": "お支払い金額", "minus": ["送料"]},
        },
    ),
    "an English till, with a column of times": (
        (
            "Sale ID,Sale Date,Sale Time,Customer Code,SKU,Qty,Unit Price,Line Total,Order Total\n"
            "1,2026-11-02,09:15,C-7,ESP,2,2.50,5.00,8.50\n1,2026-11-02,09:15,C-7,BUN,1,3.50,3.50,8.50\n"
        ),
        {
            "event_id": "Sale ID",
            "occurred_at": ["Sale Date", "Sale Time"],
            "member_id": "Customer Code",
            "amount_minor": "Line Total",
        },
    ),
    "columns of names that nobody knows, with dates and times in them": (
        "receipt,rung up,at the hour,amount\nA-1,2026-11-02,09:15,5.00\n",
        {"event_id": "receipt", "occurred_at": ["rung up", "at the hour"], "member_id": None, "amount_minor": "amount"},
    ),
}


def proposed(tmp_path: Path, text: str) -> Proposal:
    file = tmp_path / "sales.csv"
    file.write_text(text, encoding="utf-8")
    return propose(look_at(file, "sales.csv"), {}, "sales")


@pytest.mark.parametrize("name", EXPORTS)
def test_what_a_person_would_write(tmp_path: Path, name: str) -> None:
    text, wanted = EXPORTS[name]
    proposal = proposed(tmp_path, text)
    fields, lines = proposal.settings["fields"], proposal.settings["lines"]
    found = {field: fields.get(field) for field in ("event_id", "occurred_at", "member_id")}
    assert found | {"amount_minor": lines["amount_minor"]} == wanted
    assert "lines.amount_minor" not in proposal.unsure


HEAD = "订单编号,付款时间,会员号,商品名称"


def test_two_columns_that_may_be_what_was_paid_are_unsure(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, f"{HEAD},商品小计,实付金额\nA1,2026/11/2 9:05,8001,拿铁,36.00,33.00\n")
    assert proposal.settings["lines"]["amount_minor"] == "商品小计"
    assert proposal.unsure["lines.amount_minor"] == (
        "it must be what was paid for the line, after discounts: is that 实付金额?"
    )


TWO_LINES = (
    "A1,2026/11/2 9:05,8001,拿铁,36.00,{off},{paid}\nA1,2026/11/2 9:05,8001,蛋糕,25.00,{off},{paid}\n"
    "A2,2026/11/2 9:06,8001,拿铁,36.00,0.00,36.00\n"
)


def test_the_amount_after_a_discount_is_what_was_paid(tmp_path: Path) -> None:
    rows = "A1,2026/11/2 9:05,8001,拿铁,36.00,3.00,33.00\nA2,2026/11/2 9:06,8001,蛋糕,25.00,0,25.00\n"
    proposal = proposed(tmp_path, f"{HEAD},小计,优惠,实收\n{rows.replace('33.00', '￥33.00')}")
    assert proposal.settings["constants"] == {"currency": "CNY"}
    assert proposal.settings["lines"]["amount_minor"] == "实收"
    assert "lines.amount_minor" not in proposal.unsure


def test_a_discount_of_a_whole_order_is_shared_by_its_lines(tmp_path: Path) -> None:
    rows = TWO_LINES.format(off="5.00", paid="56.00")
    proposal = proposed(tmp_path, f"{HEAD},商品小计,优惠金额,实付金额\n{rows}")
    assert proposal.settings["lines"]["amount_minor"] == "商品小计"
    assert proposal.settings["spread"] == {"minus": ["优惠金额"]}
    assert "lines.amount_minor" not in proposal.unsure


def test_lines_that_do_not_add_up_to_what_was_paid_are_unsure(tmp_path: Path) -> None:
    rows = TWO_LINES.format(off="0.00", paid="58.00")
    proposal = proposed(tmp_path, f"{HEAD},商品小计,优惠金额,实付金额\n{rows}")
    assert proposal.unsure["lines.amount_minor"] == (
        "the lines of an order add up to 61.00, and 实付金额 says 58.00: a discount or shipping of it?"
    )


def test_shipping_that_no_arithmetic_tells_is_unsure(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, f"{HEAD},运费,实付金额\nA1,2026/11/2 9:05,8001,拿铁,6.00,42.00\n")
    assert proposal.unsure["lines.amount_minor"] == ("if 运费 is in it, take it off: {of: 实付金额, minus: [运费]}")


def test_a_table_without_a_number_has_no_amount(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, "receipt,date,member,notes\nA-1,2026-11-02 09:00,anna,fine\n")
    assert proposal.settings["lines"]["amount_minor"] == "notes"
    assert "lines.amount_minor" in proposal.unsure


IS_A_TOTAL = "实付金额 is the same in all rows of each order: as an order's total it would be paid for every line"
REPEATED = (
    "A1,2026/11/2 9:05,8001,龙井,1,{each[0]}100.00\nA1,2026/11/2 9:05,8001,红茶,1,{each[1]}100.00\n"
    "A1,2026/11/2 9:05,8001,花茶,1,{each[2]}100.00\nA2,2026/11/2 9:06,8002,龙井,1,{each[0]}40.00\n"
    "A2,2026/11/2 9:06,8002,红茶,1,{each[1]}40.00\n"
)


@pytest.mark.parametrize(
    ("more", "each", "instead"),
    [
        ("", ("", "", ""), "实付金额"),
        ("单价,", ("20.00,", "30.00,", "50.00,"), "单价"),
        ("毛数,", ("20.00,", "30.00,", "50.00,"), "毛数"),
    ],
)
def test_a_total_that_stands_on_each_line_of_its_order_is_unsure(
    tmp_path: Path, more: str, each: tuple[str, ...], instead: str
) -> None:
    proposal = proposed(tmp_path, f"{HEAD},柜台,{more}实付金额\n{REPEATED.format(each=each)}")
    assert proposal.settings["lines"]["amount_minor"] == instead
    assert IS_A_TOTAL in proposal.unsure["lines.amount_minor"]


def test_a_total_on_each_line_is_unsure_where_the_lines_are_alike_or_have_names_that_are_not_known(
    tmp_path: Path,
) -> None:
    rows = "A1,2026/11/2 9:05,8001,龙井,1,100.00\nA1,2026/11/2 9:05,8001,龙井,1,100.00\n"
    for head in (HEAD, HEAD.replace("商品名称", "茶")):
        proposal = proposed(tmp_path, f"{head},件,实付金额\n{rows}")
        assert IS_A_TOTAL in proposal.unsure["lines.amount_minor"]


def test_equal_lines_whose_sum_the_total_says_are_computed(tmp_path: Path) -> None:
    rows = "A1,2026/11/2 9:05,8001,龙井,1,50.00,100.00\nA1,2026/11/2 9:05,8001,龙井,1,50.00,100.00\n"
    proposal = proposed(tmp_path, f"{HEAD},数量,单价,实付金额\n{rows}")
    assert proposal.settings["lines"]["amount_minor"] == {"times": ["数量", "单价"]}
    assert "lines.amount_minor" not in proposal.unsure


def test_equal_lines_whose_amount_is_quantity_times_price_are_sure(tmp_path: Path) -> None:
    rows = "A1,2026/11/2 9:05,8001,龙井,1,50.00,50.00\nA1,2026/11/2 9:05,8001,龙井,1,50.00,50.00\n"
    proposal = proposed(tmp_path, f"{HEAD},数量,单价,实付金额\n{rows}")
    assert proposal.settings["lines"]["amount_minor"] == "实付金额"
    assert "lines.amount_minor" not in proposal.unsure
