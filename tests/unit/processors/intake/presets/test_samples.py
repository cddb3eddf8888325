"""What each preset makes of its sample: who bought, when, and for how much; and which rows are left out."""

from pathlib import Path
from typing import NamedTuple

import pytest

from processors.intake.input_files import open_input
from processors.intake.merge import gather
from processors.intake.presets.preset import preset_names
from schemas.facts import PurchaseRecorded
from schemas.instants import format_instant
from tallybook.folder.mapping_files import mapping_of

ZONE: dict[str, object] = {"timezone": "Europe/Berlin"}
US: dict[str, object] = {"timezone": "America/New_York", "constants": {"currency": "USD"}}


class Bought(NamedTuple):
    """An order as it should be: a line each with its sku and amount in minor units."""

    member: str | None
    at: str
    currency: str
    lines: tuple[tuple[str, int], ...]


SAMPLES: dict[str, tuple[dict[str, object], dict[str, Bought], int]] = {
    "shopify": (
        {},
        {
            "#1001": Bought("c-17@shop.example", "2025-11-02T15:00:00Z", "USD", (("MUG-1", 4000), ("Tee", 2000))),
            "#1002": Bought("c-18@shop.example", "2025-11-02T16:00:00Z", "USD", (("MUG-1", 3500),)),
            "#1003": Bought(None, "2025-11-02T17:30:00Z", "USD", (("STK-9", 800),)),
        },
        2,
    ),
    "square": (
        US,
        {
            "TX1": Bought("CUST1", "2025-11-02T14:15:03Z", "USD", (("L1", 450), ("Croissant", 540))),
            "TX2": Bought("CUST2", "2025-11-02T14:16:03Z", "USD", (("M9", 100_000),)),
            "TX4": Bought(None, "2025-11-02T14:20:41Z", "USD", (("Custom Amount", 300),)),
        },
        1,
    ),
    "woocommerce": (
        ZONE,
        {
            "2001": Bought("31", "2025-11-02T13:05:09Z", "EUR", (("TP-1", 2600), ("Green tea, 100 g", 1400))),
            "2002": Bought(None, "2025-11-02T14:40:00Z", "EUR", (("Green tea, 100 g", 700),)),
        },
        1,
    ),
    "odoo-pos": (
        {},
        {
            "Shop/0007": Bought(
                "41", "2025-11-02T10:00:00Z", "EUR", (("Office Chair", 7000), ("[DISC] Discount", -700))
            ),
            "Shop/0008": Bought("42", "2025-11-02T10:05:00Z", "EUR", (("Desk", 12_000),)),
            "Shop/0009": Bought(None, "2025-11-02T10:09:30Z", "EUR", (("Lamp", 3980), ("Bulb", 500))),
        },
        0,
    ),
    "lightspeed": (
        US,
        {
            "1501": Bought("ANNA-7K", "2025-11-02T15:15:00Z", "USD", (("order", 5500),)),
            "1502": Bought(None, "2025-11-02T15:31:00Z", "USD", (("order", 1500),)),
        },
        5,
    ),
    "wechat-pay": (
        {},
        {
            "S20251102091240001": Bought("oEXAMPLE_anna_0001", "2025-11-02T01:12:45Z", "CNY", (("order", 3800),)),
            "S20251102092958002": Bought("oEXAMPLE_bo_000002", "2025-11-02T01:30:02Z", "CNY", (("order", 129_900),)),
        },
        3,
    ),
    "taobao": (
        {},
        {
            "1930679858170601": Bought("茶友安娜", "2025-11-02T13:59:41Z", "CNY", (("order", 59_800),)),
            "1930679858170602": Bought("阿波的店", "2025-11-02T14:02:33Z", "CNY", (("order", 8850),)),
        },
        2,
    ),
    "youzan": (
        {},
        {
            "E20251102093000000000001": Bought("13900000001", "2025-11-02T01:30:00Z", "CNY", (("order", 7000),)),
            "E20251102101500000000002": Bought("13900000002", "2025-11-02T02:15:00Z", "CNY", (("order", 1280),)),
        },
        2,
    ),
}


def test_every_preset_has_a_sample() -> None:
    assert sorted(SAMPLES) == list(preset_names())


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_read_as_the_shop_meant_it(name: str, repository: Path) -> None:
    own, orders, left_out = SAMPLES[name]
    mapping = mapping_of({"preset": name, **own}, name)
    with gather([open_input(repository / "tests" / "samples" / f"{name}.csv", mapping=mapping)]) as gathered:
        arrived = list(gathered.arrivals)
        rows_left_out = sum(left.count for left in gathered.unknown.left_out())
    assert [item.refusal for item in arrived if item.refusal is not None] == []
    facts = [item.fact for item in arrived if isinstance(item.fact, PurchaseRecorded)]
    assert {
        fact.order_id: Bought(
            fact.member_id,
            format_instant(fact.occurred_at),
            fact.currency,
            tuple((line.sku, line.amount_minor) for line in fact.lines),
        )
        for fact in facts
    } == orders
    assert rows_left_out == left_out
