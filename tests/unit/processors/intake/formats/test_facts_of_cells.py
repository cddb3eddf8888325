"""What is made of a table's cells at once is the fact that the door makes of the event they say, or nothing."""

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.intake.door import MAX_QUICK_LINES, Door, admit
from processors.intake.formats.cells import are_bare_ids, bare_id, is_doubtful
from processors.intake.formats.rows_to_events import EventRows, Plan
from processors.intake.refusal import Problem, Refusal
from schemas.bounds import MAX_ID_BYTES, MAX_LINES
from schemas.facts import CheckedIn, PublishedFact, PurchaseLine, PurchaseRecorded
from tests.support.fact_samples import AT_MS, mapping

HEAD: Final = {"event_id": "order", "order_id": "order", "member_id": "member", "occurred_at": "time", "store_id": "s"}
LINE: Final = {"sku": "sku", "category": "kind", "quantity_milli": "units", "amount_minor": "paid"}
PLAIN_HEAD: Final = ("o-1", "o-1", "m-1", AT_MS, "s-1", "noon")
PLAIN_LINE: Final = ("espresso", "drinks", 2_000, 350)
# What readers give for any cell, for one of text, and for a number or a time.
OF_ANY: Final = (None, Problem("wrong_type", "it cannot be read"))
TEXTS: Final = (
    *OF_ANY, "a", " a", "a ", "a\n", "a\x7f", "a|b", "Käse", "咖啡", "0", "guest", "???", "#REF!", "Err:502",
    "4.98765E+15", "4987650000000", "a" * (MAX_ID_BYTES + 1), "ä" * MAX_ID_BYTES,
)  # fmt: skip
NUMBERS: Final = (*OF_ANY, 0, 1, -1, 20_000, 10**14, -(10**14), AT_MS, 1000 * AT_MS)
PLAIN: Final = PLAIN_HEAD + PLAIN_LINE
CASES: Final = [(at, cell) for at, one in enumerate(PLAIN) for cell in (NUMBERS if isinstance(one, int) else TEXTS)]


def plan(**settings: Any) -> Plan:
    return Plan(mapping(fields=HEAD, lines=LINE, attributes={"slot": "slot"}, **settings))


def order(head: tuple[Any, ...], *lines: tuple[Any, ...]) -> EventRows:
    rows = EventRows(1, head)
    rows.lines = list(lines)
    return rows


def event(head: tuple[Any, ...], *lines: tuple[Any, ...]) -> dict[str, Any]:
    """The event that some cells say."""

    def given(fields: list[str], cells: tuple[Any, ...]) -> dict[str, Any]:
        return {field: cell for field, cell in zip(fields, cells, strict=True) if cell is not None}

    fixed = {"type": "PurchaseRecorded", "source": "pos", "currency": "EUR"}
    attributes = given(["slot"], head[len(HEAD) :])
    of_lines = [given(list(LINE), line) for line in lines]
    return fixed | given(list(HEAD), head[: len(HEAD)]) | {"attributes": attributes, "lines": of_lines}


class Seen(Door):
    """A door that counts the events that were made for it."""

    def __init__(self) -> None:
        super().__init__()
        self.events = 0

    def admit(self, document: Any) -> PublishedFact | Refusal:
        """Count one more."""
        self.events += 1
        return super().admit(document)


def test_plain_cells_are_a_fact_without_an_event() -> None:
    door = Seen()
    read = plan().read(1, order(PLAIN_HEAD, PLAIN_LINE, ("tea", None, None, 0)), door)
    lines = (PurchaseLine("espresso", 350, 2_000, "drinks"), PurchaseLine("tea", 0))
    assert read.fact == PurchaseRecorded(
        "pos", "o-1", AT_MS, "o-1", "EUR", lines, "m-1", store_id="s-1", attributes={"slot": "noon"}
    )
    assert door.events == 0


def test_facts_of_other_kinds_are_made_so_too() -> None:
    fields = {"event_id": "id", "member_id": "member", "occurred_at": "time", "source": "till"}
    settings: dict[str, Any] = {"source": None, "lines": None, "scale": None, "group_by": None}
    how = mapping(type="CheckedIn", fields=fields, constants={"channel": "app"}, **settings)
    door = Seen()
    read = Plan(how).read(1, order(("e-1", "m-1", AT_MS, "till-7"), ()), door)
    assert read.fact == CheckedIn("till-7", "e-1", AT_MS, "m-1", channel="app")
    assert door.events == 0


@pytest.mark.parametrize(("at", "cell"), CASES, ids=repr)
def test_any_cell_in_any_place_gives_what_the_event_gives(at: int, cell: Any) -> None:
    cells = list(PLAIN)
    cells[at] = cell
    head, line = tuple(cells[: len(PLAIN_HEAD)]), tuple(cells[len(PLAIN_HEAD) :])
    read = plan().read(1, order(head, line), Door())
    expected = admit(event(head, line))
    assert read.fact == (None if isinstance(expected, Refusal) else expected)
    if isinstance(expected, Refusal) and not isinstance(cell, Problem):
        assert read.refusal is not None
        assert (read.refusal.reason, read.refusal.field) == (expected.reason, expected.field)


@pytest.mark.parametrize("lines", [0, 1, MAX_QUICK_LINES, MAX_QUICK_LINES + 1, MAX_LINES, MAX_LINES + 1])
def test_orders_of_any_length_give_what_the_event_gives(lines: int) -> None:
    read = plan().read(1, order(PLAIN_HEAD, *[PLAIN_LINE] * lines), Door())
    expected = admit(event(PLAIN_HEAD, *[PLAIN_LINE] * lines))
    assert read.fact == (None if isinstance(expected, Refusal) else expected)


@given(st.lists(st.one_of(st.text(max_size=12), st.sampled_from(TEXTS[len(OF_ANY) :])), min_size=1, max_size=4))
def test_a_column_of_bare_ids_holds_none_that_has_to_be_looked_at(cells: list[str]) -> None:
    if are_bare_ids(cells):
        assert [bare_id(cell) for cell in cells] == cells
        assert not any(map(is_doubtful, cells))


def test_a_column_of_plain_ids_is_found_to_be_one() -> None:
    assert are_bare_ids(["r-2026-1", "m1", "Käse", "4711"])
    assert not are_bare_ids(["r-2026-1", 4711])
