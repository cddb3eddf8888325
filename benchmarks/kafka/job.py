"""The small loyalty job, the same for both peers, so that the peers' own costs differ and not what they were asked for.

Plain functions over plain dicts, as an engineer writes them around fastavro. Nothing of Tallybook is imported: the
peers run in virtual environments that hold no Tallybook. A purchase earns a point for every MINOR_PER_POINT, times a
factor of each line's category and of the weekday (UTC), at most DAILY_CAP a day; the first purchase earns a bonus
beside the cap. The points of a day are one lot, which expires LOT_DAYS later, before the member's next purchase on or
after that day. Every purchase makes one posting, also if it earned nothing.

Left out, though Tallybook does it: duplicates, late purchases, returns, rules as data, a timezone, reasons, entry ids,
limits of other periods, streaks, referrals, digests, ticks (a lot expires when its member comes again).
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any, Final

import fastavro

MINOR_PER_POINT: Final = 10
CATEGORY_PERCENT: Final = {"coffee": 150, "bakery": 120, "gift-card": 0}
WEEKDAY_PERCENT: Final = (100, 200, 100, 100, 100, 100, 150)  # from Monday on
DAILY_CAP: Final = 500
FIRST_PURCHASE_BONUS: Final = 200
LOT_DAYS: Final = 90  # bounds the lots of a member too, as those of a day are one

Record = dict[str, Any]
# What is kept of a member, as JSON can hold it: the last day (number of the day in the common calendar) and the points
# of that day under the cap, the balance, and the lots as [points, day of expiry], the soonest first.
State = dict[str, Any]

POSTING_SCHEMA: Final = """
{"type": "record", "name": "PeerPosting", "fields": [
  {"name": "event_id", "type": "string"},
  {"name": "member_id", "type": "string"},
  {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
  {"name": "balance", "type": "long"},
  {"name": "entries", "type": {"type": "array", "items": {"type": "record", "name": "PeerEntry", "fields": [
    {"name": "rule", "type": "string"},
    {"name": "points", "type": "long"},
    {"name": "expires_on", "type": "long"}
  ]}}}
]}
"""


def purchase_reader(schema_text: str, head_bytes: int = 0) -> Callable[[bytes], Record]:
    """A function from a message's bytes to the purchase as a dict; `head_bytes` of framing are skipped.

    The function raises what fastavro raises where the bytes are no such record.
    """
    schema = fastavro.parse_schema(json.loads(schema_text))
    read = fastavro.schemaless_reader

    def decode(message: bytes) -> Record:
        body = io.BytesIO(message)
        body.seek(head_bytes)
        return read(body, schema)  # type: ignore[return-value]  # the stubs say any Avro value; this schema is a record

    return decode


def posting_writer() -> Callable[[Record], bytes]:
    """A function from a posting to its Avro body."""
    schema = fastavro.parse_schema(json.loads(POSTING_SCHEMA))
    write = fastavro.schemaless_writer

    def encode(posting: Record) -> bytes:
        body = io.BytesIO()
        write(body, schema, posting)
        return body.getvalue()

    return encode


def score(state: State | None, purchase: Record) -> tuple[State, Record]:
    """The member's state after a purchase, and its posting; None is the state of who has never bought.

    `state` is changed in place. The purchases of a member come in order of time.
    """
    at = purchase["occurred_at"]  # fastavro makes an aware datetime of the instant, in UTC
    day = at.toordinal()
    entries: list[Record] = []
    if state is None:
        state = {"day": day, "day_points": 0, "balance": 0, "lots": []}
        entries.append(_entry("first-purchase", FIRST_PURCHASE_BONUS, day + LOT_DAYS))
    elif state["day"] != day:
        state["day"] = day
        state["day_points"] = 0
        entries += _expired(state["lots"], day)
    points = min(_worth(purchase["lines"], at.weekday()), DAILY_CAP - state["day_points"])
    if points:
        state["day_points"] += points
        entries.append(_entry("points-per-amount", points, day + LOT_DAYS))
    for entry in entries:
        state["balance"] += entry["points"]
        if entry["points"] > 0:
            _add_to_lot(state["lots"], entry["points"], entry["expires_on"])
    return state, {
        "event_id": purchase["event_id"],
        "member_id": purchase["member_id"],
        "occurred_at": at,
        "balance": state["balance"],
        "entries": entries,
    }


def _worth(lines: list[Record], weekday: int) -> int:
    """Points for all lines, rounded down once."""
    weighed = 0
    for line in lines:
        weighed += line["amount_minor"] * CATEGORY_PERCENT.get(line["category"], 100)
    return int(weighed * WEEKDAY_PERCENT[weekday] // (100 * 100 * MINOR_PER_POINT))


def _expired(lots: list[list[int]], day: int) -> list[Record]:
    """Takes the lots that end on this day or ended before, and gives their entries."""
    entries: list[Record] = []
    while lots and lots[0][1] <= day:
        points, expires_on = lots.pop(0)
        entries.append(_entry("expiry", -points, expires_on))
    return entries


def _add_to_lot(lots: list[list[int]], points: int, expires_on: int) -> None:
    if lots and lots[-1][1] == expires_on:
        lots[-1][0] += points
    else:
        lots.append([points, expires_on])


def _entry(rule: str, points: int, expires_on: int) -> Record:
    return {"rule": rule, "points": points, "expires_on": expires_on}
