"""What a re-scoring finds: lines on which two worlds award otherwise, and members who end up with other accounts."""

from enum import StrEnum

import msgspec


class Cause(StrEnum):
    """Why a line differs: its rule says something else, the account was another already, or points expire otherwise."""

    DIRECT = "direct"
    KNOCK_ON = "knock_on"
    EXPIRY = "expiry"


class LineDifference(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one rule awarded for one journal line in both worlds, or what expired on one local day.

    Points are signed: awards positive, expiries negative. `local_day` is in days since 1970. `expires_before` and
    `expires_after` (UTC ms) are those of the awards; None where there was none, or where it never expires. An expiry
    has no rule, and stands at the line whose posting wrote the first of it.
    """

    page: int
    line: int
    member_id: str
    cause: Cause
    fact_type: str
    source: str
    event_id: str
    occurred_at: int
    points_before: int
    points_after: int
    rule_id: str = ""
    wallet: str = ""
    local_day: int | None = None
    store_id: str = ""
    reason_before: str = ""
    reason_after: str = ""
    expires_before: int | None = None
    expires_after: int | None = None


class LotsLeft(msgspec.Struct, frozen=True, array_like=True):
    """The points of a member that expire at one instant (UTC ms; None: never), in both worlds."""

    expires_at: int | None
    points_before: int
    points_after: int


class MemberDifference(msgspec.Struct, frozen=True):
    """One member's account at the end of both worlds; `page` and `line` are the first place where they parted.

    `lines` counts the member's line differences. `left` are the lots of which the two worlds hold another amount.
    """

    member_id: str
    page: int
    line: int
    lines: int
    balance_before: int
    balance_after: int
    earned_before: int
    earned_after: int
    left: tuple[LotsLeft, ...] = ()
