"""Which rows are proposed to be taken: those of completed orders, and no shipping, tax or test."""

from pathlib import Path

import pytest

from processors.intake.suggest.look import look_at
from processors.intake.suggest.propose import Proposal, propose


def proposed(tmp_path: Path, text: str) -> Proposal:
    """The mapping that is proposed for a file with this text."""
    file = tmp_path / "sales.csv"
    file.write_text(text, encoding="utf-8")
    return propose(look_at(file, "sales.csv"), {}, "sales")


def with_statuses(column: str, *values: str) -> str:
    """Orders of one row, one for each of these values in a column."""
    rows = [f"A-{at},2026-11-02 09:00,c-{at},mug,{value},5.00" for at, value in enumerate(values)]
    return "\n".join([f"order id,date,member id,sku,{column},amount", *rows]) + "\n"


@pytest.mark.parametrize(
    ("column", "values", "taken"),
    [
        ("Status", ["Complete", "Cancelled", "Complete", "Backordered"], ["Complete"]),
        ("订单状态", ["已完成", "待付款", "已关闭", "退款中", "部分退款", "退款成功", "已作废", "新状态"], ["已完成"]),
        ("Zahlungsstatus", ["bezahlt", "offen"], ["bezahlt"]),
        ("Payment Status", ["paid", "authorized"], ["paid"]),
        ("Statut", ["Payée", "Annulée"], ["Payée"]),
        ("Transaction Type", ["Sale", "Refund"], ["Sale"]),
        ("Status", ["Complete"], ["Complete"]),
        ("Status", ["Shipped", "Cancelled"], ["Shipped"]),
    ],
)
def test_completed_orders_alone_are_taken_and_every_value_is_counted(
    tmp_path: Path, column: str, values: list[str], taken: list[str]
) -> None:
    proposal = proposed(tmp_path, with_statuses(column, *values))
    assert proposal.settings["only"] == {column: taken}
    assert "leave_out" not in proposal.settings
    doubt = proposal.unsure[f"only.{column}"]
    assert doubt.startswith(f"taken: {taken[0]} ({values.count(taken[0])}); left out:")
    assert all(f"{value} ({values.count(value)})" in doubt for value in values)
    assert doubt.endswith("every value that is not in this list")


def test_values_of_which_none_is_known_as_completed_are_all_named(tmp_path: Path) -> None:
    left = proposed(tmp_path, with_statuses("Status", "Phase 2", "Cancelled", "Phase 3"))
    assert left.settings["leave_out"] == {"Status": ["Cancelled"]}
    assert left.unsure["leave_out.Status"].startswith("left out: Cancelled (1); taken: Phase 2 (1), Phase 3 (1), and")
    none = proposed(tmp_path, with_statuses("Status", "Phase 2", "Phase 3"))
    assert "leave_out" not in none.settings
    assert any("Status chooses no rows; taken: Phase 2 (1), Phase 3 (1)" in remark for remark in none.remarks)


@pytest.mark.parametrize("column", ["State", "Type", "Fulfillment Status"])
def test_a_column_that_says_nothing_of_sales_chooses_no_rows(tmp_path: Path, column: str) -> None:
    settings = proposed(tmp_path, with_statuses(column, "IL", "CA", "IL")).settings
    assert not settings.keys() & {"only", "leave_out"}


ORDERS = """\
Order #,Order Date,Status,Cust No,Line,Type,SKU,Qty,Unit Price,Test?
O-1,2026-03-07 21:05,Complete,10001,1,Item,TEE,2,19.99,
O-1,2026-03-07 21:05,Complete,10001,2,Coupon,5OFF,1,-5.00,
O-1,2026-03-07 21:05,Complete,10001,3,Shipping,UPS,1,5.95,
O-1,2026-03-07 21:05,Complete,10001,4,Tax,TAX-IL,1,2.88,
O-1,2026-03-07 21:05,Complete,10001,5,Return,MUG,1,-3.00,
O-2,2026-03-08 21:05,Cancelled,20002,1,Item,SOFA,1,1250.00,
O-3,2026-03-08 22:05,Complete,20003,1,Item,TEE,1,19.99,True
"""


def test_a_column_of_line_types_beside_a_status_hides_neither(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, ORDERS)
    assert proposal.settings["only"] == {"Status": ["Complete"]}
    # A return within an order reduces it: left out, the order would earn too much.
    assert proposal.settings["leave_out"] == {"Type": ["Shipping", "Tax"], "Test?": ["True"]}
    assert proposal.unsure["leave_out.Type"] == (
        "left out: Shipping (1), Tax (1); taken: Item (3), Coupon (1), Return (1), and every value that is not named "
        "here; if Shipping, Tax should earn points, too, take that out of the list"
    )
    assert "True (1)" in proposal.unsure["leave_out.Test?"]


def test_types_of_sales_and_of_what_reduces_them_within_one_order_are_both_taken(tmp_path: Path) -> None:
    text = ORDERS.replace("Item", "Sale").replace("Complete,", ",").replace("Cancelled,", ",")
    assert "only" not in proposed(tmp_path, text).settings


def test_orders_that_were_delivered_to_the_door_are_taken(tmp_path: Path) -> None:
    settings = proposed(tmp_path, with_statuses("Order Type", "Delivery", "Pickup", "Dine in")).settings
    assert not settings.keys() & {"only", "leave_out"}


def test_shipping_and_tax_among_the_products_are_left_out(tmp_path: Path) -> None:
    text = (
        "order id,date,member id,item,amount\nA-1,2026-11-02 09:00,c-1,Mug,5.00\nA-1,2026-11-02 09:00,c-1,运费,6.00\n"
    )
    assert proposed(tmp_path, text).settings["leave_out"] == {"item": ["运费"]}


def test_a_payment_method_that_differs_within_an_order_is_not_proposed(tmp_path: Path) -> None:
    text = (
        "order id,date,member id,item,payment method,amount\n"
        "A-1,2026-11-02 09:00,c-1,Mug,cash,5.00\nA-1,2026-11-02 09:00,c-1,Tee,{second},6.00\n"
    )
    assert proposed(tmp_path, text.format(second="cash")).settings["fields"]["tender"] == "payment method"
    split = proposed(tmp_path, text.format(second="card"))
    assert "tender" not in split.settings["fields"]
    assert any("payment method is not the same in all rows" in remark for remark in split.remarks)
