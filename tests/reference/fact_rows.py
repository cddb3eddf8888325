"""The reference for the rows of journal pages, in plain Python: one per line of the journal, guests included."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from projections.store import Columns
from schemas.facts import (
    CheckedIn,
    ClockTicked,
    ContentShared,
    JournalOpened,
    PurchaseLine,
    PurchaseRecorded,
    RefereePurchased,
    ReferralMade,
    ReviewSubmitted,
    RulesetPublished,
    order_total_minor,
)
from schemas.pages import JournalLine, JournalPage

_Values: TypeAlias = list[Any]  # the facts of one group share a type that only its key knows


class _Place(msgspec.Struct, frozen=True):
    """Where a line of the journal stands, and what it was read from."""

    partition: int
    page: int
    line: int
    input: str
    journalled: JournalLine


_Group: TypeAlias = list[_Place]


def _from_field(name: str) -> Callable[[Any], Any]:
    def read(fact: Any) -> Any:
        return getattr(fact, name)

    return read


def _or_empty(name: str) -> Callable[[Any], Any]:
    def read(fact: Any) -> Any:
        return getattr(fact, name) or ""

    return read


def _fields(*names: str) -> dict[str, Callable[[Any], Any]]:
    return {name: _from_field(name) for name in names}


# A column of a fact that has no such field holds this.
_ABSENT: Final[Mapping[str, object]] = {
    "store_id": "",
    "channel": "",
    "tender": "",
    "currency": "",
    "order_id": "",
    "amount_minor": 0,
    "discount_minor": 0,
    "quantity_milli": 0,
    "line_count": 0,
    "referrer_id": "",
    "referee_id": "",
    "sku": "",
    "network": "",
    "content_id": "",
    "rating": None,
    "text_length": 0,
    "media_count": 0,
    "claim_rank": 0,
    "purchase_rank": 0,
    "purchase_source": "",
    "purchase_event_id": "",
    "attributes": {},
}

_PRESENT: Final[Mapping[type, Mapping[str, Callable[[Any], Any]]]] = {
    PurchaseRecorded: {
        **_fields("store_id", "channel", "tender", "currency", "order_id", "attributes"),
        "amount_minor": order_total_minor,
        "discount_minor": lambda fact: sum(line.discount_minor for line in fact.lines),
        "quantity_milli": lambda fact: sum(line.quantity_milli for line in fact.lines),
        "line_count": lambda fact: len(fact.lines),
        "referrer_id": _or_empty("referrer_id"),
    },
    CheckedIn: _fields("store_id", "channel", "attributes"),
    ContentShared: _fields("store_id", "channel", "network", "content_id", "sku", "attributes"),
    ReviewSubmitted: _fields(
        "store_id", "channel", "order_id", "sku", "rating", "text_length", "media_count", "attributes"
    ),
    ReferralMade: _fields("channel", "referrer_id", "referee_id", "attributes"),
    RefereePurchased: _fields(
        "currency",
        "amount_minor",
        "referrer_id",
        "referee_id",
        "claim_rank",
        "purchase_rank",
        "purchase_source",
        "purchase_event_id",
    ),
}


class JournalRows:
    """Collects the lines of journal pages, which may be few a page, until their rows are asked for."""

    def __init__(self) -> None:
        self.lines = 0
        self._groups: dict[type, _Group] = {kind: [] for kind in _PRESENT}
        self._rulesets: _Group = []
        self._ticks: dict[int, int] = {}

    def add(self, partition: int, page: JournalPage) -> None:
        """Take in a page.

        Raises:
            AssertionError: a fact of a type that these tables do not know.
        """
        for line, journalled in enumerate(page.lines):
            fact = journalled.fact
            if isinstance(fact, ClockTicked):
                self._ticks[partition] = max(fact.at, self._ticks.get(partition, fact.at))
                continue
            place = _Place(partition, page.page, line, page.inputs[journalled.input], journalled)
            group = self._groups.get(type(fact))
            if group is not None:
                group.append(place)
            elif isinstance(fact, RulesetPublished):
                self._rulesets.append(place)
            elif not isinstance(fact, JournalOpened):
                raise AssertionError(f"journal page {page.page} holds a {type(fact).__name__}, which no table knows")
        self.lines += len(page.lines)

    def take(self) -> dict[str, Columns]:
        """The rows of all pages since the last call, by table, in the order in which they must be inserted."""
        groups, self._groups = self._groups, {kind: [] for kind in _PRESENT}
        rulesets, self._rulesets = self._rulesets, []
        ticks, self._ticks = self._ticks, {}
        self.lines = 0
        return {
            "facts": _fact_columns(groups),
            "fact_lines": _line_columns(groups[PurchaseRecorded]),
            "rulesets": _ruleset_columns(rulesets),
            "ticks": {"partition": list(ticks), "at": list(ticks.values())},
        }


def _fact_columns(groups: Mapping[type, _Group]) -> Columns:
    places = [place for group in groups.values() for place in group]
    lines = [place.journalled for place in places]
    facts: _Values = [line.fact for line in lines]
    return {
        "partition": [x.partition for x in places],
        "page": [x.page for x in places],
        "line": [x.line for x in places],
        "fact_type": [kind.__name__ for kind, group in groups.items() for _ in group],
        "member_id": [x.member_id or "" for x in lines],
        "source": [x.source for x in facts],
        "event_id": [x.event_id for x in facts],
        "occurred_at": [x.occurred_at for x in facts],
        "received_at": [x.received_at for x in lines],
        **{column: _column(groups, column, absent) for column, absent in _ABSENT.items()},
        "input": [x.input for x in places],
        "record": [x.record for x in lines],
    }


def _column(groups: Mapping[type, _Group], column: str, absent: object) -> _Values:
    values: _Values = []
    for kind, group in groups.items():
        read = _PRESENT[kind].get(column)
        values.extend([absent] * len(group) if read is None else [read(place.journalled.fact) for place in group])
    return values


def _line_columns(purchases: Iterable[_Place]) -> Columns:
    places: list[_Place] = []
    facts: list[PurchaseRecorded] = []
    numbers: list[int] = []
    lines: list[PurchaseLine] = []
    for place in purchases:
        fact = place.journalled.fact
        if not isinstance(fact, PurchaseRecorded):
            raise TypeError("only purchases have lines")
        for n, line in enumerate(fact.lines, start=1):
            places.append(place)
            facts.append(fact)
            numbers.append(n)
            lines.append(line)
    return {
        "partition": [x.partition for x in places],
        "page": [x.page for x in places],
        "line": [x.line for x in places],
        "n": numbers,
        "member_id": [x.member_id or "" for x in facts],
        "occurred_at": [x.occurred_at for x in facts],
        "store_id": [x.store_id for x in facts],
        "order_id": [x.order_id for x in facts],
        "currency": [x.currency for x in facts],
        "sku": [x.sku for x in lines],
        "category": [x.category for x in lines],
        "brand": [x.brand for x in lines],
        "quantity_milli": [x.quantity_milli for x in lines],
        "amount_minor": [x.amount_minor for x in lines],
        "discount_minor": [x.discount_minor for x in lines],
        "unit_price_minor": [x.unit_price_minor for x in lines],
    }


def _ruleset_columns(places: _Group) -> Columns:
    facts: _Values = [x.journalled.fact for x in places]
    return {
        "version": [x.version for x in facts],
        "ruleset_hash": [x.ruleset_hash for x in facts],
        "effective_from": [x.effective_from for x in facts],
        "partition": [x.partition for x in places],
        "page": [x.page for x in places],
        "line": [x.line for x in places],
        "semantics": [x.semantics for x in facts],
        "timezone": [x.timezone for x in facts],
        "text": [x.text for x in facts],
    }
