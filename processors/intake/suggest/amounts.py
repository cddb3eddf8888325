"""Finds what was paid for a line: the column, or the columns, that names, repeats and arithmetic speak for."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import permutations
from typing import Any, Final, NamedTuple

from processors.intake.suggest.cells_seen import is_date, is_number, number
from processors.intake.suggest.known_names import rank_of
from processors.intake.suggest.look import Table

AMOUNT: Final = "amount"
_DECIMALS: Final = re.compile(r"\d[.,]\d\d(?!\d)")
_TOTAL: Final = "{} is the same in all rows of each order: as an order's total it would be paid for every line"
_ZERO: Final = Decimal(0)

Orders = Sequence[Sequence[Mapping[str, str]]]


class Paid(NamedTuple):
    """Where the amount of a line comes from, what lines share, a doubt about it and a remark; each may be empty."""

    source: Any
    spread: tuple[str, ...] = ()
    doubt: str = ""
    remark: str = ""


def paid_for_lines(table: Table, found: Mapping[str, str], key: Sequence[str], mark: str) -> Paid:
    """What was paid for the lines of a table; `found` has the columns by meaning, `key` those of an order's key.

    `mark` is the decimal mark of the amounts.
    """
    quantity, price = found.get("quantity"), found.get("price")
    factors = [quantity, price] if quantity and price else []
    orders = _orders(table, key)
    named, discount = named_amounts(table, found), found.get("discount")
    of_order = [
        column
        for column in named
        if is_of_the_order(table, column, key, factors) or _is_a_total(orders, column, factors, discount, mark)
    ]
    known = [column for column in named if column not in of_order]
    shared = discount is not None and is_of_the_order(table, discount, key, factors)
    if factors and not known:
        taken = [discount] if discount and not shared else []
        source: Any = {"times": factors, "minus": taken} if taken else {"times": factors}
        return _beside_totals(Paid(source), orders, of_order, discount if shared else None, mark)
    if not known:
        return _without_amounts(table, found, of_order, orders)
    if (after := _after_discount(table, known, None if shared else discount, mark)) is not None:
        return _beside_totals(Paid(after), orders, of_order, discount if shared else None, mark)
    paid, is_sure = _by_arithmetic(table, found, known[0], None if shared else discount, mark)
    if len(known) > 1 and not is_sure:
        others = " or ".join(known[1:])
        paid = paid._replace(doubt=f"it must be what was paid for the line, after discounts: is that {others}?")
    elif not factors and not paid.doubt and _is_the_same(orders, known[0]):
        paid = paid._replace(doubt=_TOTAL.format(known[0]))
    return _beside_totals(paid, orders, of_order, discount if shared else None, mark)


def _without_amounts(table: Table, found: Mapping[str, str], totals: Sequence[str], orders: Orders) -> Paid:
    """What there is where no column seems to hold what was paid for a line; of totals of orders it is told."""
    if not totals:
        amount = found.get("price") or _last_number(table, found)
        return Paid(amount, doubt="it must be what was paid for the whole line")
    told = _TOTAL.format(totals[0])
    if (other := found.get("price") or _like_an_amount(table, found, totals, orders)) is not None:
        return Paid(other, doubt=f"it must be what was paid for the whole line; {told}")
    return Paid(totals[0], doubt=f"{told}; export what was paid for each line too, and name that column")


def named_amounts(table: Table, found: Mapping[str, str]) -> list[str]:
    """The columns that may hold what was paid, by their names, the surest first."""
    others = {column for meaning, column in found.items() if meaning != AMOUNT}
    ranked = sorted(
        (rank, at, column)
        for at, column in enumerate(table.header)
        if column not in others and (rank := rank_of(AMOUNT, column)) is not None
        if is_number([cell for cell in table.cells(column) if cell])
    )
    return [column for _, _, column in ranked]


def is_of_the_order(table: Table, column: str, key: Sequence[str], of_lines: Sequence[str]) -> bool:
    """Whether a column holds one amount of the whole order, although the rows of an order differ in other columns."""
    lines = of_lines or [name for name in table.header if rank_of("sku", name) is not None]
    several = [
        {row[column] for row in rows if row[column]}
        for rows in _orders(table, key)
        if len({tuple(row[name] for name in lines) for row in rows}) > 1
    ]
    return bool(several) and all(len(amounts) == 1 for amounts in several)


def _is_the_same(orders: Orders, column: str) -> bool:
    """Whether there are orders of several rows, and all rows of each have one amount in this column."""
    several = [rows for rows in orders if len(rows) > 1]
    return bool(several) and all(len({row[column] for row in rows if row[column]}) == 1 for rows in several)


def _is_a_total(orders: Orders, column: str, factors: Sequence[str], discount: str | None, mark: str) -> bool:
    """Whether a column with one amount in all rows of an order is not what quantity × price makes of its rows."""
    if not factors or not _is_the_same(orders, column):
        return False
    for row in (row for rows in orders if len(rows) > 1 for row in rows):
        worth, said = _worth(row, {"times": factors}, mark), number(row[column], mark)
        if worth is not None and said is not None and said not in {worth, worth - _amount(row, discount, mark)}:
            return True
    return False


def _after_discount(table: Table, amounts: Sequence[str], discount: str | None, mark: str) -> str | None:
    """The column of amounts that is another one of them without the discount, in all rows."""
    rows = list(_rows(table))
    if not any(_amount(row, discount, mark) for row in rows):
        return None
    for after, before in permutations(amounts, 2):
        pairs = [(number(row[before], mark), number(row[after], mark), _amount(row, discount, mark)) for row in rows]
        if all(gross is not None and paid is not None and gross - off == paid for gross, paid, off in pairs):
            return after
    return None


def _by_arithmetic(
    table: Table, found: Mapping[str, str], amount: str, discount: str | None, mark: str
) -> tuple[Paid, bool]:
    """What a column of amounts holds by quantity × price, discount and shipping in its rows; whether that is sure."""
    quantity, price, shipping = (found.get(meaning) for meaning in ("quantity", "price", "shipping"))
    rows = [
        (paid, count * each, _amount(row, discount, mark), _amount(row, shipping, mark))
        for row in _rows(table)
        if (paid := number(row[amount], mark)) is not None
        if quantity and (count := number(row[quantity], mark)) is not None
        if price and (each := number(row[price], mark)) is not None
    ]
    has_discount, has_shipping = any(row[2] for row in rows), any(row[3] for row in rows)
    if has_discount and all(paid == gross - off for paid, gross, off, _ in rows):
        return Paid(amount), True
    if has_discount and all(paid == gross for paid, gross, _, _ in rows):
        told = f"{amount} is {quantity} × {price}, so {discount} is taken off it."
        return Paid({"of": amount, "minus": [discount]}, remark=told), True
    if has_shipping and all(paid == gross - off + more for paid, gross, off, more in rows):
        told = f"{amount} has {shipping} in it, which is taken off: shipping earns no points."
        return Paid({"of": amount, "minus": [shipping]}, remark=told), True
    doubt = f"if {shipping} is in it, take it off: {{of: {amount}, minus: [{shipping}]}}"
    return Paid(amount, doubt=doubt if any(_amount(row, shipping, mark) for row in _rows(table)) else ""), False


def _beside_totals(paid: Paid, orders: Orders, totals: Sequence[str], shared: str | None, mark: str) -> Paid:
    """The same, compared with a column of the orders' totals, and with a discount of whole orders (`shared`)."""
    for total in totals:
        for rows in orders:
            said = number(next((row[total] for row in rows if row[total]), ""), mark)
            lines = [_worth(row, paid.source, mark) for row in rows]
            off = max((_amount(row, shared, mark) for row in rows), default=_ZERO)
            if said is None or None in lines:
                continue
            added = sum((one for one in lines if one is not None), _ZERO)
            if off and added - off == said and not paid.spread:
                told = f"{shared} is a discount of whole orders: their lines share it."
                paid = paid._replace(spread=(shared,) if shared else (), remark=told)
            elif added != said and not (off and added - off == said):
                told = (
                    f"the lines of an order add up to {added}, and {total} says {said}: a discount or shipping of it?"
                )
                return paid._replace(doubt="; ".join(filter(None, (paid.doubt, told))))
    return paid


def _worth(row: Mapping[str, str], source: Any, mark: str) -> Decimal | None:
    """What a source gives for a row."""
    if isinstance(source, str):
        return number(row[source], mark)
    result = Decimal(1)
    for column in source.get("times", [source.get("of")]):
        factor = number(row[column], mark)
        if factor is None:
            return None
        result *= factor
    return result - sum((_amount(row, column, mark) for column in source.get("minus", ())), _ZERO)


def _amount(row: Mapping[str, str], column: str | None, mark: str) -> Decimal:
    """An amount without its sign; nothing is 0."""
    return abs((number(row[column], mark) if column else None) or _ZERO)


def _like_an_amount(table: Table, found: Mapping[str, str], totals: Sequence[str], orders: Orders) -> str | None:
    """A column of numbers with decimals whose name says nothing, and that is no total of orders either."""
    taken = {*found.values(), *totals}
    for column in table.header:
        cells = [cell for cell in table.cells(column) if cell]
        has_decimals = is_number(cells) and not is_date(cells) and _DECIMALS.search(" ".join(cells))
        if column not in taken and has_decimals and not _is_the_same(orders, column):
            return column
    return None


def _last_number(table: Table, found: Mapping[str, str]) -> str:
    taken = set(found.values())
    numbers = [one for one in table.header if one not in taken and is_number([c for c in table.cells(one) if c])]
    return numbers[-1] if numbers else table.header[-1]


def _rows(table: Table) -> Iterator[dict[str, str]]:
    for cells in table.rows:
        yield {name: cell.strip() for name, cell in zip(table.header, cells, strict=True)}


def _orders(table: Table, key: Sequence[str]) -> list[list[dict[str, str]]]:
    """The rows of each order."""
    orders: dict[tuple[str, ...], list[dict[str, str]]] = defaultdict(list)
    for at, row in enumerate(_rows(table)):
        said = tuple(row.get(name, "") for name in key)
        orders[said if any(said) else (str(at),)].append(row)
    return list(orders.values())
