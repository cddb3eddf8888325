"""What the ledger holds: one posting per fact and member, with every effect that only the rules could tell.

`apply` needs nothing but a posting (and its fact) to bring an account forward, so old rules and old code are
never needed for recovery.
"""

from enum import StrEnum
from typing import Final

import msgspec

from schemas.facts import RefereePurchased, RulesetPublished

# The edition of the ledger that newly created books begin with.
FIRST_EDITION: Final = "0001"
TICK_SOURCE: Final = "tallybook"
MAIN_WALLET: Final = "points"


class EntryType(StrEnum):
    """The kinds of entry; the points of an award are positive, those of an expiry negative."""

    POINTS_AWARDED = "PointsAwarded"
    POINTS_EXPIRED = "PointsExpired"


class Reason(StrEnum):
    """Why a fact itself awarded nothing; the first three are tried in this order, before any rule."""

    TOO_OLD = "too_old"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    NO_RULESET = "no_ruleset"
    AWAITING_PURCHASE = "awaiting_purchase"
    ALREADY_CLAIMED = "already_claimed"
    TOO_MANY_CLAIMS = "too_many_claims"
    CLAIM_ALREADY_PAID = "claim_already_paid"
    OTHER_CURRENCY = "other_currency"
    TOO_MANY_LOTS = "too_many_lots"
    LIMIT_REACHED = "limit_reached"
    ZERO_POINTS = "zero_points"
    DAY_ALREADY_PAID = "day_already_paid"
    NO_RULE_MATCHED = "no_rule_matched"


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One signed, typed line of a posting. Points are int64; the sign is the type's.

    `lot` numbers the account's lots from 1. `effective_at` is the instant the entry counts from (the fact's
    `occurred_at`, or exactly when due work was due). `corrects` names the entry that a correction undoes.
    """

    entry_id: str
    type: str
    points: int
    effective_at: int
    lot: int
    rule_id: str = ""
    wallet: str = MAIN_WALLET
    available_at: int | None = None
    expires_at: int | None = None
    corrects: str | None = None

    def __post_init__(self) -> None:
        # Encoders leave out what *is* the default; a decoded "points" only equals it, and must not change a digest.
        if self.wallet == MAIN_WALLET:
            msgspec.structs.force_setattr(self, "wallet", MAIN_WALLET)


class Factor(msgspec.Struct, frozen=True, omit_defaults=True):
    """One multiplier that took part in an award: which, how much, and on how much of the basis."""

    rule_id: str
    factor: str
    basis: int


class Working(msgspec.Struct, frozen=True, omit_defaults=True):
    """The arithmetic of one rule that matched: basis × rate (× factors) = exact → rounded − cut = paid.

    `basis` is counted in `unit` ("minor", "milli", "event", "line", "day"); `exact` is the unrounded result as a
    decimal or a fraction; `limit_ids` names the limits that cut it.
    """

    rule_id: str
    basis: int
    unit: str
    rate: str
    exact: str
    rounded: int
    paid: int
    rounding: str = "floor"
    factors: tuple[Factor, ...] = ()
    limit_ids: tuple[str, ...] = ()


class LimitCharge(msgspec.Struct, frozen=True, omit_defaults=True):
    """An amount charged to one window of a limit: `window` is "<per>:<first local day>" plus "/<key>" if keyed."""

    limit_id: str
    window: str
    amount: int


class DayHeld(msgspec.Struct, frozen=True, omit_defaults=True):
    """A check-in day the account now holds: days since 1970 in local time, and the run that ends on it.

    Days before `kept_from` are forgotten; `kept_run` is the run length on that oldest kept day.
    """

    day: int
    run_length: int
    kept_from: int
    kept_run: int


class PeriodTotals(msgspec.Struct, frozen=True, omit_defaults=True):
    """Gross points earned after this posting, in the periods around local day `day`, programme-wide or per store."""

    scope: str
    day: int
    earned_day: int
    earned_week: int
    earned_month: int
    earned_year: int
    earned_ever: int
    reached_at: int


class Posting(msgspec.Struct, omit_defaults=True):
    """All that one journal line did to one member's account, or the reason why it did nothing.

    `number` (contiguous per edition and partition) and the folio (`page`, `line`, `sub`) are stamped by whoever
    commits the posting; all else comes from `decide`. Not frozen for that stamp alone. `purchase_rank` and
    `claim_opened` (the new claim's rank) are 0 where there was none. `claim_paid` is
    "<referee>/<claim rank>" once a referral rule has settled that claim for this account.
    """

    member_id: str
    seq: int
    fact_type: str
    source: str
    event_id: str
    occurred_at: int
    balance: int
    number: int = 0
    page: int = 0
    line: int = 0
    sub: int = 0
    reason: str | None = None
    late: bool = False
    ruleset_version: str = ""
    ruleset_hash: str = ""
    semantics: int = 0
    local_day: int | None = None
    entries: tuple[Entry, ...] = ()
    workings: tuple[Working, ...] = ()
    charges: tuple[LimitCharge, ...] = ()
    day_held: DayHeld | None = None
    totals: tuple[PeriodTotals, ...] = ()
    owed: tuple[RefereePurchased, ...] = ()
    purchase_rank: int = 0
    claim_opened: int = 0
    claim_paid: str | None = None
    store_id: str = ""
    order_id: str = ""


class PostingBatch(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record of the ledger's topic on Kafka: postings in order, and the last journal page decided in full.

    A page's number is its offset in the journal's topic. A batch without postings says that pages were decided which
    made none. The digests are the running chains after this batch, as hex.
    """

    postings: tuple[Posting, ...]
    scored_page: int = -1
    journal_digest: str = ""
    ledger_digest: str = ""


class RuleSpan(msgspec.Struct, frozen=True, omit_defaults=True):
    """A ruleset that holds in an edition from one instant until before another (UTC ms; `until_at` None: without end).

    `published.effective_from` is not asked.
    """

    from_at: int
    published: RulesetPublished
    until_at: int | None = None


class RuleLayer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Spans of rules over the journal's first `covers` publications, known before its first line.

    The spans stand in order and do not overlap. What is published after those wins from its `effective_from` on, if
    that is not before the span's beginning.
    """

    covers: int
    spans: tuple[RuleSpan, ...]


class EditionOpened(msgspec.Struct, frozen=True, omit_defaults=True):
    """The first record of an edition of the ledger: the layers over its rules, the last on top (none: as published)."""

    edition: str
    deployment: str
    generation: int
    partitions: int
    layers: tuple[RuleLayer, ...] = ()
    opened_at: int = 0
