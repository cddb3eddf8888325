"""Proposes a mapping for a table: a preset that fits it, or the columns whose names and cells tell what they are."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from processors.intake.presets.preset import Preset
from processors.intake.suggest.amounts import named_amounts, paid_for_lines
from processors.intake.suggest.cells_seen import (
    Home,
    currency_of,
    date_order,
    decimal_mark,
    has_clock,
    has_offset,
    is_clock,
    is_date,
    is_number,
    is_written_date,
    zone_of,
)
from processors.intake.suggest.known_names import FOOTER, rank_of
from processors.intake.suggest.look import Table
from processors.intake.suggest.members import are_masked, find_member
from processors.intake.suggest.statuses import choose_rows

FILE_AND_ROW: Final = ["@file", "@row"]
SHORT_NUMBER: Final = 5  # a number of an order with so many digits may begin anew each day, or at each till
MEMBER: Final = "member"
_MEANINGS: Final = (
    "order", "when", MEMBER, "currency", "store", "till", "tender", "channel", "kind",
    "quantity", "price", "discount", "shipping", "amount", "sku", "category", "brand",
)  # fmt: skip
_MUST_BE_NUMBERS: Final = {"quantity", "price", "discount", "shipping", "amount"}
POSITION: Final = "pos"  # a point of sale; or the position of a row in its receipt, which counts 1, 2, 3


@dataclass
class Proposal:
    """The settings of a mapping, what is unsure about them by path, and remarks about the file."""

    settings: dict[str, Any]
    unsure: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def doubt(self, path: str, told: str) -> None:
        """Note that a setting is unsure, if there is something to tell."""
        if told:
            self.unsure[path] = told


def fitting_preset(header: Iterable[str], presets: Mapping[str, Preset]) -> str | None:
    """The name of the preset whose export has such a header, of several the one that is recognised by most columns."""
    columns = {column.strip() for column in header}
    fitting = [name for name, preset in presets.items() if columns.issuperset(preset.recognised_by)]
    return max(fitting, key=lambda name: len(presets[name].recognised_by), default=None)


def propose(table: Table, presets: Mapping[str, Preset], source: str, home: Home | None = None) -> Proposal:
    """A mapping for a table; `source` is a name for the system that it comes from, `home` what its programme says."""
    name = fitting_preset(table.header, presets)
    proposal = _by_preset(table, name, presets[name], home) if name else _by_names(table, source, home)
    _read_as_text(table, proposal, presets[name].mapping if name else {})
    _compare_currency(proposal, home)
    return proposal


def _by_preset(table: Table, name: str, preset: Preset, home: Home | None) -> Proposal:
    proposal = Proposal({"preset": name}, remarks=[f"This is an export of {preset.title}."])
    if "timezone" in preset.needs:
        zone, doubt = zone_of(table.header, _cells(table, "Time Zone"), home)
        proposal.settings["timezone"] = zone
        proposal.doubt("timezone", doubt)
    if "constants.currency" in preset.needs:
        amounts = _columns_of(preset.mapping["lines"]["amount_minor"])
        cells = [cell for column in amounts for cell in _cells(table, column)]
        currency, doubt = currency_of(table.header, cells, home)
        proposal.settings["constants"] = {"currency": currency}
        proposal.doubt("constants.currency", doubt)
    when = _columns_of(preset.mapping["fields"]["occurred_at"])[0]
    order, doubt = _order_of_dates(table, when)
    if order not in {preset.mapping.get("date_order", "ymd"), "ymd"}:
        proposal.settings["date_order"] = order
        proposal.doubt("date_order", doubt)
    member = preset.mapping["fields"].get("member_id")
    if isinstance(member, str):
        _look_at_members(table, member, proposal, "preset")
    return proposal


def _by_names(table: Table, source: str, home: Home | None) -> Proposal:
    found = _found(table)
    proposal = Proposal(
        {"type": "PurchaseRecorded", "source": source}, {"source": "a name of your own for this till or shop"}
    )
    settings = proposal.settings
    fields: dict[str, Any] = {}
    _name_the_key(table, found, fields, proposal)
    _name_the_time(table, found, fields, proposal, home)
    for meaning, name in (("member", "member_id"), ("store", "store_id"), ("tender", "tender"), ("channel", "channel")):
        if meaning in found:
            fields[name] = found[meaning]
    if MEMBER in found:
        apart = {column for meaning, column in found.items() if meaning in {"order", "when"}}
        doubts = find_member(table, apart).doubts
        _look_at_members(table, found[MEMBER], proposal, "fields.member_id", doubts)
    else:
        proposal.remarks.append("No column seems to name the member: without member_id every order is a guest's.")
    _without_varying(table, fields, proposal)
    settings["fields"] = fields
    amounts = [cell for name in (*named_amounts(table, found), found.get("price")) for cell in _cells(table, name)]
    currency = ""
    if "currency" in found:
        fields["currency"] = found["currency"]
        named = {cell.strip().upper() for cell in _cells(table, found["currency"])}
        currency = named.pop() if len(named) == 1 else ""
    else:
        currency, doubt = currency_of(table.header, amounts, home)
        settings["constants"] = {"currency": currency}
        proposal.doubt("constants.currency", doubt)
    mark, doubt = decimal_mark(amounts, currency)
    _name_the_lines(table, found, proposal, mark)
    if mark != "." or doubt:
        settings["decimal"] = mark
        proposal.doubt("decimal", doubt)
    if fields["event_id"] != FILE_AND_ROW:
        settings["group_by"] = fields["event_id"]
    if _has_blank_heads(table, fields):
        settings["fill"] = True
    _choose_rows(table, found, proposal)
    return proposal


def _found(table: Table) -> dict[str, str]:
    """The column of each meaning: that of the surest name; a column has one meaning."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for meaning in _MEANINGS:
        if meaning == MEMBER:
            if (member := find_member(table, taken).column) is not None:
                found[meaning] = member
                taken.add(member)
            continue
        ranked = sorted(
            (rank, at, column)
            for at, column in enumerate(table.header)
            if column not in taken
            and (rank := rank_of(meaning, column)) is not None
            and (meaning not in _MUST_BE_NUMBERS or is_number(_cells(table, column)))
            and (meaning != "when" or is_date(_cells(table, column)))
            and not (column.lower() == POSITION and _counts_rows(_cells(table, column)))
        )
        if ranked:
            found[meaning] = ranked[0][2]
            taken.add(ranked[0][2])
    if "when" not in found:
        # A name that is not known; but dates with marks between their parts look like nothing else.
        dates = [name for name in table.header if name not in taken and is_written_date(_cells(table, name))]
        dates.sort(key=lambda name: not has_clock(_cells(table, name)))
        found |= {"when": dates[0]} if dates else {}
    return found


def _name_the_key(table: Table, found: Mapping[str, str], fields: dict[str, Any], proposal: Proposal) -> None:
    if "order" not in found:
        fields["event_id"] = fields["order_id"] = FILE_AND_ROW
        proposal.doubt("fields.event_id", "no column seems to number the orders, so every row is an order of its own")
        return
    key: Any = found["order"]
    places = [found[meaning] for meaning in ("store", "till") if meaning in found]
    when = found.get("when")
    comes_again = any(_splits(table, key, place) for place in places)
    on_another_day = when is not None and _splits(table, key, when, until=10)
    if comes_again or on_another_day:
        # A column of dates alone never tells two rows of one order apart, a column of times might.
        is_day = when is not None and not has_clock(_cells(table, when))
        key = [*places, *([when] if on_another_day or is_day else []), key]
        told = "the same number comes again at another till or on another day: hence these columns"
        proposal.doubt("fields.event_id", told)
    elif all(cell.isdigit() and len(cell) <= SHORT_NUMBER for cell in _cells(table, key)):
        apart = [found[meaning] for meaning in ("store", "till", "when") if meaning in found] or ["DATE COLUMN"]
        told = f"if such short numbers begin anew, each day or at each till, write [{', '.join([*apart, key])}]"
        proposal.doubt("fields.event_id", f"{told} here, in order_id and in group_by")
    fields["event_id"] = fields["order_id"] = key


def _name_the_time(
    table: Table, found: Mapping[str, str], fields: dict[str, Any], proposal: Proposal, home: Home | None
) -> None:
    if "when" not in found:
        fields["occurred_at"] = table.header[0]
        proposal.doubt("fields.occurred_at", "no column seems to hold the time: name the one that does")
        return
    when = found["when"]
    cells = _cells(table, when)
    fields["occurred_at"] = when
    clocks = [column for column in table.header if column != when and is_clock(_cells(table, column))]
    clocks.sort(key=lambda column: rank_of("clock", column) is None)
    if clocks and not has_clock(cells):
        fields["occurred_at"] = [when, clocks[0]]
    elif not has_clock(cells):
        proposal.doubt("fields.occurred_at", "there are dates only: every order counts as made at midnight")
    if not has_offset(cells):
        zone, doubt = zone_of(table.header, _cells(table, "Time Zone"), home)
        proposal.settings["timezone"] = zone
        proposal.doubt("timezone", doubt)
    order, doubt = _order_of_dates(table, when)
    if order != "ymd":
        proposal.settings["date_order"] = order
        proposal.doubt("date_order", doubt)


def _without_varying(table: Table, fields: dict[str, Any], proposal: Proposal) -> None:
    """Drop what is said once of an order, but not the same in all of its rows."""
    key = fields["event_id"]
    if not isinstance(key, str):
        return
    for name in ("store_id", "tender", "channel"):
        if name in fields and _splits(table, key, fields[name]):
            column = fields.pop(name)
            told = (
                f"{column} is not the same in all rows of an order, so it is no {name} of it; to take the first row's,"
            )
            proposal.remarks.append(f"{told} write fields: {{{name}: {column}}} and of_first_row: [{name}].")


def _order_of_dates(table: Table, column: str) -> tuple[str, str]:
    """The order of year, month and day, and a doubt about it, which says how far was looked; it may be empty."""
    order, doubt = date_order(_cells_to_the_end(table, column))
    return order, f"{doubt} {table.looked_at}".strip() if doubt else ""


def _name_the_lines(table: Table, found: Mapping[str, str], proposal: Proposal, mark: str) -> None:
    lines: dict[str, Any] = {}
    scale: dict[str, Any] = {"amount_minor": "currency"}
    if "sku" in found:
        lines["sku"] = found["sku"]
    else:
        proposal.settings["line_constants"] = {"sku": "order"}
        proposal.doubt("line_constants.sku", "no column seems to name the product")
    for meaning, name in (("category", "category"), ("brand", "brand"), ("quantity", "quantity_milli")):
        if meaning in found:
            lines[name] = found[meaning]
    if "quantity" in found:
        scale["quantity_milli"] = 1000
    key = _columns_of(proposal.settings["fields"]["event_id"])
    paid = paid_for_lines(table, found, key, mark)
    lines["amount_minor"] = paid.source
    proposal.doubt("lines.amount_minor", paid.doubt)
    if paid.remark:
        proposal.remarks.append(paid.remark)
    proposal.settings["lines"] = lines
    if paid.spread:
        proposal.settings["spread"] = {"minus": list(paid.spread)}
    proposal.settings["scale"] = scale


def _choose_rows(table: Table, found: Mapping[str, str], proposal: Proposal) -> None:
    key = _columns_of(proposal.settings["fields"]["event_id"])
    chosen = choose_rows(table, found, key, fill="fill" in proposal.settings)
    if chosen.only:
        proposal.settings["only"] = chosen.only
    proposal.unsure |= chosen.doubts
    proposal.remarks += chosen.remarks
    left = chosen.leave_out
    if footers := _footers(table.rows):
        left["*first"] = footers
    if left:
        proposal.settings["leave_out"] = left
    if footers := _footers(table.odd):
        proposal.settings["ends_at"] = footers


def _footers(rows: Iterable[Sequence[str]]) -> list[str]:
    """The first cells of rows that add up others."""
    return list(dict.fromkeys(cells[0].strip() for cells in rows if cells and rank_of(FOOTER, cells[0]) is not None))


def _compare_currency(proposal: Proposal, home: Home | None) -> None:
    currency = proposal.settings.get("constants", {}).get("currency")
    if home is not None and currency is not None and currency != home.currency:
        told = f"The rules in this folder pay for {home.currency} alone: orders in {currency} earn nothing by them."
        proposal.remarks.append(told)


def _read_as_text(table: Table, proposal: Proposal, below: Mapping[str, Any]) -> None:
    for name, seen, usual in (("delimiter", table.delimiter, ","), ("encoding", table.encoding, "utf-8")):
        if seen != below.get(name, usual):
            proposal.settings[name] = "tab" if seen == "\t" else seen


def _look_at_members(table: Table, column: str, proposal: Proposal, path: str, doubts: Sequence[str] = ()) -> None:
    cells = _cells_to_the_end(table, column)
    told = []
    if are_masked(cells):
        told.append(
            f"{column} is masked with stars, so that different people may look the same: name a column that is not"
        )
    told += doubts
    if any("@" in cell for cell in cells):
        told.append(
            f"{column} holds mail addresses: members are better known by an id of yours, as the books keep it for ever"
        )
    proposal.doubt(path, "; ".join(told))


def _splits(table: Table, key: str, column: str, until: int | None = None) -> bool:
    """Whether rows of one key have different values in a column (of its first `until` letters)."""
    if key == column:
        return False
    values = defaultdict(set)
    for one, other in zip(_all(table, key), _all(table, column), strict=True):
        if one and other:
            values[one].add(other[:until])
    return any(len(of_key) > 1 for of_key in values.values())


def _counts_rows(cells: Sequence[str]) -> bool:
    """Whether a column counts the rows of each order: 1, 2, 3, and 1 again."""
    if not all(cell.isdecimal() for cell in cells):
        return False
    numbers = [int(cell) for cell in cells]
    pairs = list(pairwise(numbers))
    is_counted = numbers[:1] == [1] and all(after in {1, before + 1} for before, after in pairs)
    return is_counted and numbers.count(1) > 1 and any(after > before for before, after in pairs)


def _has_blank_heads(table: Table, fields: Mapping[str, Any]) -> bool:
    """Whether rows below an order's first one leave its cells blank."""
    key = fields["event_id"]
    heads = [column for name in ("occurred_at", "member_id", "currency") for column in _columns_of(fields.get(name))]
    if not isinstance(key, str):
        return False
    last, head = "", [""] * len(heads)
    for one, *now in zip(_all(table, key), *(_all(table, column) for column in heads), strict=True):
        if one and one != last:
            last, head = one, now
        elif (not one and last) or any(above and not here for above, here in zip(head, now, strict=True)):
            return True
    return False


def _cells(table: Table, column: str | None) -> list[str]:
    """The cells of a column that say something."""
    return [cell for cell in _all(table, column) if cell] if column in table.header else []


def _cells_to_the_end(table: Table, column: str) -> list[str]:
    """The same, with those of the last rows."""
    return [cell for cell in table.cells_to_the_end(column) if cell] if column in table.header else []


def _all(table: Table, column: str | None) -> list[str]:
    return table.cells(column) if column in table.header else []


def _columns_of(named: Any) -> Sequence[str]:
    """The columns that a field names, whichever way."""
    if isinstance(named, Mapping):
        return [column for part in named.values() for column in _columns_of(part)]
    return [named] if isinstance(named, str) else list(named or ())


def source_name(file_name: str) -> str:
    """A source made of the letters of a file's name; without its digits, as the next file has the same source."""
    stem = file_name.rpartition("/")[2].partition(".")[0]
    words = "".join(letter if letter.isascii() and letter.isalpha() else " " for letter in stem).lower().split()
    return "-".join(words)[:40].strip("-") or "shop"
