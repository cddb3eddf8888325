"""Finds the columns that say of what kind a row is, or how far an order has come, and which values are sales."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from processors.intake.suggest.known_names import DONE, EXTRA, FOOTER, NO_SALE, plain, rank_of
from processors.intake.suggest.look import Table

MAX_VALUES: Final = 20
_STATUS: Final = re.compile(r"status|statut|estado|zustand|状态|状態|ステータス")
_TYPE: Final = re.compile(
    r"(?:order|line|item|row|record|sale|event|document|订单|交易|单据|业务|行|明细)(?:line)?(?:type|kind|类型)"
)
_TEST: Final = re.compile(r"(?:is)?test(?:order|sale|mode)?|测试(?:订单)?|是否测试|テスト")
# A status of the parcel, which says nothing of the payment.
_OF_PARCEL: Final = re.compile(r"fulfil|ship|deliver|发货|物流|配送|versand|liefer|envío|livraison")
_NO: Final = frozenset({"false", "no", "0", "n", "f", "否", "nein", "non", "いいえ"})


@dataclass
class Chosen:
    """Which rows a mapping takes, by column, a doubt for each of these, and remarks about other columns."""

    only: dict[str, list[str]] = field(default_factory=dict)
    leave_out: dict[str, list[str]] = field(default_factory=dict)
    doubts: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def choose_rows(table: Table, found: Mapping[str, str], key: Sequence[str], *, fill: bool) -> Chosen:
    """The rows of a table that seem to be sales; `found` has its columns by meaning, `key` those of an order's key.

    `fill` says that blank cells say what the order's first row says.
    """
    chosen = Chosen()
    taken = {column for meaning, column in found.items() if meaning != "kind"}
    for column in table.header:
        if column in taken or table.header.count(column) > 1:
            continue
        if _TEST.fullmatch(plain(column)):
            _leave_out_tests(table, column, chosen)
        elif rank_of("kind", column) is not None or _STATUS.search(plain(column)) or _TYPE.fullmatch(plain(column)):
            _choose_by(table, column, key, chosen, fill=fill)
    for meaning in ("sku", "category"):
        if meaning in found:
            _leave_out_extras(table, found[meaning], chosen)
    return chosen


def _choose_by(table: Table, column: str, key: Sequence[str], chosen: Chosen, *, fill: bool) -> None:
    said = _values(table, column)
    is_status = _STATUS.search(plain(column)) is not None
    known = {value for value in said if any(rank_of(kind, value) is not None for kind in (DONE, NO_SALE, EXTRA))}
    if not said or len(said) > MAX_VALUES or not (known or is_status):
        return
    done = [value for value in said if rank_of(DONE, value) is not None]
    by_order = _by_order(table, column, key)
    is_of_orders = not any(len(values) > 1 for values in by_order)
    has_blanks = not fill and any("" in values for values in by_order)
    if done and is_of_orders and not has_blanks and not _OF_PARCEL.search(plain(column)):
        chosen.only[column] = done
        others = [value for value in said if value not in done]
        told = f"left out: {_counted(said, others)}, and" if others else "left out:"
        chosen.doubts[f"only.{column}"] = (
            f"taken: {_counted(said, done)}; {told} every value that is not in this list{_as_far_as(table)}"
        )
        return
    within = {value for values in by_order if len(values) > 1 for value in values}
    no_sales = [value for value in said if rank_of(NO_SALE, value) is not None and value not in within]
    extras = [value for value in said if rank_of(EXTRA, value) is not None]
    _leave_out(table, column, [*no_sales, *extras], extras, chosen)


def _leave_out(table: Table, column: str, left: Sequence[str], extras: Sequence[str], chosen: Chosen) -> None:
    said = _values(table, column)
    taken = [value for value in said if value not in left]
    told = f"taken: {_counted(said, taken)}, and every value that is not named here{_as_far_as(table)}"
    if not left:
        hint = f"to take some of them alone, write only: {{{column}: [...]}}"
        chosen.remarks.append(f"UNSURE: {column} chooses no rows; {told}; {hint}.")
        return
    chosen.leave_out[column] = list(left)
    doubts = [f"left out: {_counted(said, left)}; {told}"]
    if extras:
        doubts.append(f"if {', '.join(extras)} should earn points, too, take that out of the list")
    if len(left) > len(extras):
        doubts.append("what such rows take back stays paid")
    chosen.doubts[f"leave_out.{column}"] = "; ".join(doubts)


def _leave_out_extras(table: Table, column: str, chosen: Chosen) -> None:
    """Leave out rows of shipping, tax and tests that a column of products names."""
    said = _values(table, column)
    extras = [value for value in said if rank_of(EXTRA, value) is not None]
    if extras:
        chosen.leave_out[column] = extras
        told = f"left out: {_counted(said, extras)}{_as_far_as(table)}"
        chosen.doubts[f"leave_out.{column}"] = f"{told}; if that should earn points, too, take it out of the list"


def _leave_out_tests(table: Table, column: str, chosen: Chosen) -> None:
    said = _values(table, column)
    tests = [value for value in said if value.casefold() not in _NO]
    if tests and len(said) <= MAX_VALUES:
        chosen.leave_out[column] = tests
        told = f"left out as tests: {_counted(said, tests)}; every other value is taken{_as_far_as(table)}"
        chosen.doubts[f"leave_out.{column}"] = told
    elif not said:
        hint = f"if tests are marked there, write leave_out: {{{column}: [...]}}"
        chosen.remarks.append(f"UNSURE: {column} is blank in all rows{_as_far_as(table)}: {hint}.")


def _values(table: Table, column: str) -> Counter[str]:
    """What the cells of a column say, and how often, in the order of their first rows."""
    return Counter(cell for cell in table.cells_to_the_end(column) if cell)


def _by_order(table: Table, column: str, key: Sequence[str]) -> Iterable[set[str]]:
    """What the rows of each order say; footers are no order's."""
    orders: dict[tuple[str, ...], set[str]] = defaultdict(set)
    places = [table.header.index(name) for name in key if name in table.header]
    at = table.header.index(column)
    for number, cells in enumerate([*table.rows, *table.tail]):
        if rank_of(FOOTER, cells[0]) is None:
            said = tuple(cells[place] for place in places)
            orders[said if any(said) else (str(number), "@row")].add(cells[at])
    return orders.values()


def _counted(said: Mapping[str, int], values: Sequence[str]) -> str:
    return ", ".join(f"{value} ({said[value]:,})" for value in values[:MAX_VALUES]) or "none"


def _as_far_as(table: Table) -> str:
    return f" ({table.looked_at})" if table.looked_at else ""
