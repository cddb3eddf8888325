"""Holds an explanation as data: printed for people, or given as JSON with the same names."""

from enum import StrEnum
from typing import Any

import msgspec


class Station(msgspec.Struct):
    """How far a fact came: read, rejected, journalled, scored or projected. `reached` None: not known."""

    name: str
    reached: bool | None
    what: str


class LimitSeen(msgspec.Struct):
    """One limit of a rule that took part: what its window allowed, and how much was used, cut, charged and left.

    `of` says what is counted, points or awards. `used_before` includes what earlier rules charged for the same fact.
    """

    limit_id: str
    window: str
    allows: int
    of: str
    used_before: int
    cut: int
    charged: int
    left: int


class RuleSeen(msgspec.Struct):
    """One rule that was considered: `because` says the first condition that fails, `arithmetic` what it computed."""

    rule_id: str
    kind: str
    takes_part: bool
    because: str
    arithmetic: str = ""
    paid: int = 0
    limits: list[LimitSeen] = []


class EntrySeen(msgspec.Struct):
    """One entry of a posting. Instants are RFC 3339, `last_day` is the last local date on which the points are good.

    `is_due_work` marks an expiry that was waiting when the fact came. `left` is what an awarded lot holds now.
    """

    entry_id: str
    type: str
    points: int
    lot: int
    rule_id: str
    effective_at: str
    expires_at: str | None = None
    last_day: str | None = None
    is_due_work: bool = False
    left: int | None = None
    expired_at: str | None = None


class RulesInForce(msgspec.Struct):
    """The ruleset that decided, and why it was this one."""

    version: str
    ruleset_hash: str
    effective_from: str
    semantics: int
    because: str


class Repeat(msgspec.Struct):
    """The same event once more in the same account: where, what became of it, and the fields in which it differs."""

    place: str
    came_from: str
    reason: str
    why: str
    differs_in: list[str]


class PostingSeen(msgspec.Struct):
    """What a fact did to one account. `role` is referrer or referee where there are two."""

    member_id: str
    role: str
    partition: int
    page: int
    line: int
    number: int
    seq: int
    balance_before: int
    balance_after: int
    late: bool
    reason: str
    why: str
    rules: RulesInForce | None
    considered: list[RuleSeen]
    entries: list[EntrySeen]
    notes: list[str] = []
    repeats: list[Repeat] = []


class FieldSeen(msgspec.Struct):
    """One field of two facts, such as `lines[0].amount_minor`; None where it was not given."""

    field: str
    first: Any
    later: Any
    differs: bool


class RejectState(StrEnum):
    """How a refused record stands to what was taken in under its source and event id."""

    NOT_TAKEN_IN = "not taken in"
    MENDED = "sent again and taken in"
    SAME = "taken in with the same content"
    OTHER = "another content was taken in"
    NOT_READABLE = "cannot be compared"


class LaterContent(msgspec.Struct):
    """A fact that came later under the same source and event id, with other content; it is beside the first one.

    `place` is where it stands in the journal, or the reject that keeps it.
    """

    place: str
    came_from: str
    member_id: str
    fields: list[FieldSeen]


class EventExplained(msgspec.Struct):
    """One event: the fact, how far it came, and what it did to each account it concerns.

    `later_contents` has what else came under its source and event id.
    """

    source: str
    event_id: str
    fact_type: str
    occurred_at: str
    local_time: str
    fact: dict[str, Any]
    stations: list[Station]
    postings: list[PostingSeen]
    notes: list[str] = []
    later_contents: list[LaterContent] = []


class RuleSum(msgspec.Struct):
    """What one rule has brought a member: points awarded, expired, and left; and how often it paid."""

    rule_id: str
    awards: int
    awarded: int
    expired: int
    left: int


class LotSeen(msgspec.Struct):
    """Points that a member still has, by expiry."""

    lot: int
    rule_id: str
    left: int
    awarded: int
    event_id: str
    expires_at: str | None
    last_day: str | None


class FactSeen(msgspec.Struct):
    """One fact of a member in short: what it awarded and how, or why not."""

    occurred_at: str
    fact_type: str
    source: str
    event_id: str
    points: int
    expired: int
    balance_after: int
    reason: str
    why: str
    arithmetic: list[str]


class MemberExplained(msgspec.Struct):
    """What a member has, and where it comes from. `limits` are those of the rules in force, in today's windows."""

    member_id: str
    as_of: str | None
    balance: int
    earned: int
    postings: int
    partition: int
    rules: list[RuleSum]
    lots: list[LotSeen]
    reasons: dict[str, int]
    limits: list[LimitSeen]
    notes: list[str]
    newest: list[FactSeen]
