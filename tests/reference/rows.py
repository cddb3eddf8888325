"""The reference for the rows of the tables, in plain Python: what each record of the books becomes.

For differential tests and for fake stores. Instants are in ms since 1970 in UTC, dates in days since 1970.
"""

from collections.abc import Iterator
from typing import Any, Final

from projections.store import JOURNAL, LEDGER, TABLES, Pieces, Row
from schemas.avro.codecs import decode_postings, decode_record
from schemas.facts import ClockTicked, JournalOpened, PurchaseRecorded, RulesetPublished, order_total_minor
from schemas.pages import JournalPage, Reject
from schemas.posting import Entry, EntryType, Posting

FIRST_SEQ: Final = 1
# Stands in for the entry of a posting that has none, so that every posting has a row.
_NO_ENTRY: Final = Entry(entry_id="", type="", points=0, effective_at=0, lot=0, wallet="")
# A column of a fact that has no such field, or None in it, holds this.
_ABSENT: Final[Row] = {
    **dict.fromkeys(("store_id", "channel", "tender", "currency", "order_id", "referrer_id", "referee_id", "sku"), ""),
    **dict.fromkeys(("network", "content_id", "purchase_source", "purchase_event_id"), ""),
    **dict.fromkeys(("amount_minor", "discount_minor", "quantity_milli", "line_count", "text_length"), 0),
    **dict.fromkeys(("media_count", "claim_rank", "purchase_rank"), 0),
    "rating": None,
    "attributes": {},
}

Tables = dict[str, list[Row]]


def plain_rows(book: str, pieces: Pieces, edition: str) -> Tables:
    """The rows of a book's blocks by table, in the order of the tables; a block of rejects must hold one.

    Raises:
        AssertionError: a fact or an entry of a type that the tables do not know.
    """
    rows: Tables = {table: [] for table in TABLES[book]}
    if book == LEDGER:
        states: dict[str, Row] = {}
        for partition, block in pieces:
            for posting in decode_postings(block.data, block.records):
                states[posting.member_id] = _add_posting(rows, edition, partition, posting)
        # Only a member's last posting of the batch: an older state would be replaced at once.
        rows["account_states"] = list(states.values())
    elif book == JOURNAL:
        ticks: dict[int, int] = {}
        for partition, block in pieces:
            _add_page(rows, ticks, partition, decode_record(JournalPage, block.data))
        rows["ticks"] = [{"partition": partition, "at": at} for partition, at in ticks.items()]
    else:
        rows["rejects"] = [_all_fields(decode_record(Reject, block.data)) for _, block in pieces]
    return rows


def _fields(record: object, names: str) -> Row:
    return {name: getattr(record, name) for name in names.split()}


def _all_fields(record: Any) -> Row:
    return {name: getattr(record, name) for name in record.__struct_fields__}


# -- the ledger


def _add_posting(rows: Tables, edition: str, partition: int, posting: Posting) -> Row:
    """Add what a posting becomes, but for the state of the account, which is returned."""
    key: Row = {"edition": edition, "member_id": posting.member_id, "seq": posting.seq}
    rows["ledger"] += _entry_rows(key, partition, posting)
    for n, working in enumerate(posting.workings, start=1):
        rows["workings"].append(
            {**key, "n": n}
            | _fields(posting, "occurred_at local_day fact_type store_id ruleset_version")
            | _fields(working, "rule_id basis unit rate exact rounding rounded paid limit_ids")
            | {
                "factor_rules": [factor.rule_id for factor in working.factors],
                "factors": [factor.factor for factor in working.factors],
                "factor_basis": [factor.basis for factor in working.factors],
            }
        )
    if posting.seq == FIRST_SEQ:
        opened: Row = {"opened_at": posting.occurred_at, "opened_on": posting.local_day, "partition": partition}
        account: Row = {"edition": edition, "member_id": posting.member_id}
        rows["members"].append(account | opened | _fields(posting, "fact_type source event_id store_id"))
    for entry in posting.entries:
        _add_lot(rows, key, posting, entry)
    for totals in posting.totals:
        rows["period_totals"].append(key | _all_fields(totals))
    if posting.day_held is not None:
        rows["check_in_days"].append(key | _fields(posting.day_held, "day run_length"))
    return key | _fields(posting, "balance occurred_at fact_type")


def _entry_rows(key: Row, partition: int, posting: Posting) -> Iterator[Row]:
    """One row per entry, with the balance after it; one for a posting without entries."""
    whole: Row = {
        **key,
        "partition": partition,
        "reason": posting.reason or "",
        "claim_paid": posting.claim_paid or "",
        **_fields(posting, "number page line sub fact_type source event_id occurred_at local_day store_id order_id"),
        **_fields(posting, "late ruleset_version ruleset_hash semantics purchase_rank claim_opened"),
    }
    running = posting.balance - sum(entry.points for entry in posting.entries)
    for n, entry in enumerate(posting.entries or [_NO_ENTRY], start=1 if posting.entries else 0):
        running += entry.points
        yield {
            **whole,
            "n": n,
            "balance_after": running,
            "effective_at": posting.occurred_at if entry is _NO_ENTRY else entry.effective_at,
            "entry_type": entry.type,
            "corrects": entry.corrects or "",
            **_fields(entry, "entry_id points lot rule_id wallet available_at expires_at"),
        }


def _add_lot(rows: Tables, key: Row, posting: Posting, entry: Entry) -> None:
    """Add what an entry does to its lot. A later type that draws on a part of a lot must say what remains."""
    if entry.type == EntryType.POINTS_EXPIRED:
        rows["lot_states"].append(key | {"lot": entry.lot, "remaining": 0, "changed_at": entry.effective_at})
    elif entry.type == EntryType.POINTS_AWARDED:
        available_at = entry.effective_at if entry.available_at is None else entry.available_at
        of_posting = _fields(posting, "occurred_at source event_id order_id store_id")
        of_entry = _fields(entry, "lot points wallet expires_at rule_id")
        rows["lots"].append(key | of_posting | of_entry | {"available_at": available_at})
    else:
        raise AssertionError(f"entry {entry.entry_id} has type {entry.type!r}, which no table knows")


# -- the journal


def _add_page(rows: Tables, ticks: dict[int, int], partition: int, page: JournalPage) -> None:
    """Add what each line of a page becomes, guests included; of a partition's ticks the latest."""
    for number, line in enumerate(page.lines):
        fact: Any = line.fact
        place: Row = {"partition": partition, "page": page.page, "line": number}
        if isinstance(fact, ClockTicked):
            ticks[partition] = max(fact.at, ticks.get(partition, fact.at))
        elif isinstance(fact, RulesetPublished):
            names = "version ruleset_hash effective_from semantics timezone text"
            rows["rulesets"].append(place | _fields(fact, names))
        elif not isinstance(fact, JournalOpened):
            rows["facts"].append(
                {**place, "fact_type": type(fact).__name__, "member_id": line.member_id or ""}
                | _fields(fact, "source event_id occurred_at")
                | {"received_at": line.received_at, "input": page.inputs[line.input], "record": line.record}
                | {column: _value(fact, column) for column in _ABSENT}
            )
            if isinstance(fact, PurchaseRecorded):
                rows["fact_lines"] += _line_rows(place, fact)


def _value(fact: Any, column: str) -> object:
    if isinstance(fact, PurchaseRecorded):
        match column:
            case "amount_minor":
                return order_total_minor(fact)
            case "discount_minor" | "quantity_milli":
                return sum(getattr(line, column) for line in fact.lines)
            case "line_count":
                return len(fact.lines)
    found = getattr(fact, column, None)
    return _ABSENT[column] if found is None else found


def _line_rows(place: Row, fact: PurchaseRecorded) -> Iterator[Row]:
    for n, line in enumerate(fact.lines, start=1):
        yield {
            **place,
            "n": n,
            "member_id": fact.member_id or "",
            **_fields(fact, "occurred_at store_id order_id currency"),
            **_fields(line, "sku category brand quantity_milli amount_minor discount_minor unit_price_minor"),
        }
