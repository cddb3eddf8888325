"""What publishers may report, and what the journal may hold, as frozen types that all packages share.

All instants are UTC milliseconds since 1970 (`*_at`), money is int64 minor units of an ISO 4217 currency
(`*_minor`), quantities are thousandths of a unit (`*_milli`).
"""

from typing import Annotated, Final, Literal, NamedTuple, final, get_args

import msgspec
from msgspec import Meta

from schemas.bounds import (
    MAX_AMOUNT_MINOR,
    MAX_ATTRIBUTE_LENGTH,
    MAX_ATTRIBUTES,
    MAX_ID_LENGTH,
    MAX_LINES,
    MAX_MEDIA,
    MAX_QUANTITY_MILLI,
    MAX_SOURCE_LENGTH,
    MAX_TEXT_LENGTH,
)
from schemas.entry_ids import DERIVED_SOURCE

# The end of a text in every dialect of regular expressions: Python's "$" also matches before a last newline.
_END = r"(?![\s\S])"
# Printable text without control characters; the lengths keep every record small enough for one page.
_NO_CONTROL = rf"^[^\x00-\x1f\x7f]*{_END}"
ONE_UNIT_MILLI: Final = 1000
# The form of the books that this program writes; a form that older programs must not read has the next number.
BOOKS_VERSION: Final = 1
# A source may not hold "/", so that `source/event_id` names one event without ambiguity. Tallybook's own is reserved:
# whoever could publish under it could take the key of a derived fact, which would then be a conflict and never paid.
_SOURCE: Final = rf"^(?!{DERIVED_SOURCE}{_END})[A-Za-z0-9._:-]+{_END}"
Source = Annotated[str, Meta(min_length=1, max_length=MAX_SOURCE_LENGTH, pattern=_SOURCE)]
Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID_LENGTH, pattern=_NO_CONTROL)]
Label = Annotated[str, Meta(max_length=MAX_ID_LENGTH, pattern=_NO_CONTROL)]
# The fields of text for people to read; every other text is an id, and has at most MAX_ID_BYTES bytes of UTF-8 too.
FREE_TEXTS: Final = frozenset({"channel", "tender", "category", "brand", "network"})
AmountMinor = Annotated[int, Meta(ge=0, le=MAX_AMOUNT_MINOR)]
# Below 0 on lines that take something off the order: a discount, a voucher, a deposit paid back.
SignedAmountMinor = Annotated[int, Meta(ge=-MAX_AMOUNT_MINOR, le=MAX_AMOUNT_MINOR)]
SignedQuantityMilli = Annotated[int, Meta(ge=-MAX_QUANTITY_MILLI, le=MAX_QUANTITY_MILLI)]
Attributes = Annotated[
    dict[
        Annotated[str, Meta(min_length=1, max_length=MAX_ID_LENGTH, pattern=_NO_CONTROL)],
        Annotated[str, Meta(max_length=MAX_ATTRIBUTE_LENGTH, pattern=_NO_CONTROL)],
    ],
    Meta(max_length=MAX_ATTRIBUTES),
]


class PurchaseLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a purchase; `amount_minor` is what was paid for the whole line, and what rules count.

    It is below 0 where the line takes something off the order, whose total is not; only such a line, or one of 0, may
    have a quantity below 0.
    """

    sku: Id
    amount_minor: SignedAmountMinor
    quantity_milli: SignedQuantityMilli = ONE_UNIT_MILLI
    category: Label = ""
    brand: Label = ""
    discount_minor: AmountMinor = 0
    unit_price_minor: SignedAmountMinor | None = None

    def __post_init__(self) -> None:
        # Encoders leave out what *is* the default; a decoded 1000 only equals it, and must not make another identity.
        if self.quantity_milli == ONE_UNIT_MILLI:
            msgspec.structs.force_setattr(self, "quantity_milli", ONE_UNIT_MILLI)


class PurchaseRecorded(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag=True):
    """A purchase, by a member or (member_id None) a guest; naming a referrer opens that member's claim on the buyer."""

    source: Source
    event_id: Id
    occurred_at: int
    order_id: Id
    currency: str
    lines: Annotated[tuple[PurchaseLine, ...], Meta(max_length=MAX_LINES)]
    member_id: Id | None = None
    channel: Label = ""
    store_id: Label = ""
    tender: Label = ""
    referrer_id: Id | None = None
    attributes: Attributes = {}


class CheckedIn(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag=True):
    """A check-in of a member."""

    source: Source
    event_id: Id
    occurred_at: int
    member_id: Id
    store_id: Label = ""
    channel: Label = ""
    attributes: Attributes = {}


class ContentShared(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag=True):
    """A member shared something."""

    source: Source
    event_id: Id
    occurred_at: int
    member_id: Id
    network: Label = ""
    content_id: Label = ""
    sku: Label = ""
    store_id: Label = ""
    channel: Label = ""
    attributes: Attributes = {}


class ReviewSubmitted(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag=True):
    """A member reviewed a product.

    The text itself is not taken, only its length in characters.
    """

    source: Source
    event_id: Id
    occurred_at: int
    member_id: Id
    sku: Id
    rating: Annotated[int, Meta(ge=0, le=10)] | None = None
    text_length: Annotated[int, Meta(ge=0, le=MAX_TEXT_LENGTH)] = 0
    media_count: Annotated[int, Meta(ge=0, le=MAX_MEDIA)] = 0
    order_id: Label = ""
    store_id: Label = ""
    channel: Label = ""
    attributes: Attributes = {}


class ReferralMade(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag=True):
    """A member (the referrer) brought another (the referee); journalled for both, paid on the referee's purchase."""

    source: Source
    event_id: Id
    occurred_at: int
    referrer_id: Id
    referee_id: Id
    channel: Label = ""
    attributes: Attributes = {}


class RefereePurchased(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag=True):
    """Derived: a referee's purchase inside a claim's window, told to the claimant and to the referee.

    `member_id` is the recipient of this copy. `claim_rank` counts the claims on the referee in its journal order,
    `purchase_rank` all purchases of the referee in journal order since the account opened, both from 1.
    `occurred_at` is the purchase's instant, `claimed_at` the claim's, `amount_minor` the order's total.
    """

    source: str
    event_id: str
    occurred_at: int
    member_id: str
    referrer_id: str
    referee_id: str
    claim_rank: int
    purchase_rank: int
    amount_minor: int
    currency: str
    claimed_at: int
    purchase_source: str
    purchase_event_id: str


class JournalOpened(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag=True):
    """The first line of every partition: the constants of the deployment, checked by every process.

    `books_version` is the form in which the books are written, BOOKS_VERSION in new ones; 0 in books that name none.
    """

    deployment: str
    generation: int
    partitions: int
    partition: int
    horizon_ms: int
    referral_window_ms: int
    opened_at: int = 0
    books_version: int = 0


@final  # so that `type(fact) is ClockTicked` tells the checker what the fact is not; isinstance takes twice as long
class ClockTicked(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag=True):
    """Time has passed up to `at` in this partition: all work due by then is done."""

    at: int


class RulesetPublished(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag=True):
    """A ruleset version is valid from `effective_from`; full text, hash and time zone data stand in the journal."""

    version: str
    ruleset_hash: str
    effective_from: int
    semantics: int
    text: str
    timezone: str
    tzif: bytes


PublishedFact = PurchaseRecorded | CheckedIn | ContentShared | ReviewSubmitted | ReferralMade
MemberFact = PublishedFact | RefereePurchased
BookFact = JournalOpened | ClockTicked | RulesetPublished
JournalFact = MemberFact | BookFact

MEMBER_TYPES: Final[tuple[str, ...]] = tuple(kind.__name__ for kind in get_args(MemberFact))
# The types of published facts by name, and the words of those that a rule of kind `fixed` may be on.
PublishedType = Literal["PurchaseRecorded", "CheckedIn", "ContentShared", "ReviewSubmitted", "ReferralMade"]
FixedOn = Literal["purchase", "check_in", "share", "review"]


class FactKind(NamedTuple):
    """A kind of fact that publishers report: its word in rulesets, its topic on Kafka, and an example at instant 0.

    `when_fields` are what the `when` of a rule may ask of it. `member` says whom its word names in the examples of a
    ruleset. `counted_as` is the type of the facts that its rules are paid for, where that is another: a referral is
    paid for when the referee purchases.
    """

    word: str
    topic: str
    when_fields: tuple[str, ...]
    member: str
    example: PublishedFact
    counted_as: type[MemberFact] | None = None

    @property
    def fact(self) -> type[PublishedFact]:
        """The type of the facts that publishers report."""
        return type(self.example)

    @property
    def counted(self) -> type[MemberFact]:
        """The type of the facts that rules are paid for."""
        return self.counted_as or self.fact


_KINDS: Final = (
    FactKind(
        "purchase",
        "facts.purchases",
        ("store_id", "channel", "tender", "amount_minor", "quantity_milli", "attributes"),
        "The member who bought.",
        PurchaseRecorded(
            "example",
            "purchase-1",
            0,
            order_id="order-1",
            currency="EUR",
            lines=(
                PurchaseLine(sku="espresso-beans", amount_minor=1290, category="coffee", brand="Tally"),
                PurchaseLine(sku="oat-drink", amount_minor=398, quantity_milli=2000, discount_minor=60),
            ),
            member_id="member-1",
            channel="store",
            store_id="store-1",
            tender="card",
        ),
    ),
    FactKind(
        "check_in",
        "facts.check-ins",
        ("store_id", "channel", "attributes"),
        "The member who checked in.",
        CheckedIn("example", "check-in-1", 0, "member-1", store_id="store-1", channel="app"),
    ),
    FactKind(
        "share",
        "facts.shares",
        ("network", "content_id", "sku", "store_id", "channel", "attributes"),
        "The member who shared.",
        ContentShared("example", "share-1", 0, "member-1", network="mastodon", content_id="recipe-7", channel="app"),
    ),
    FactKind(
        "review",
        "facts.reviews",
        ("sku", "rating", "text_length", "media_count", "store_id", "channel", "attributes"),
        "The member who wrote the review.",
        ReviewSubmitted(
            "example",
            "review-1",
            0,
            "member-1",
            sku="espresso-beans",
            rating=5,
            text_length=240,
            media_count=1,
            order_id="order-1",
            channel="web",
        ),
    ),
    FactKind(
        "referral",
        "facts.referrals",
        (),
        "The member who was brought (the referee).",
        ReferralMade("example", "referral-1", 0, referrer_id="member-1", referee_id="member-2", channel="app"),
        counted_as=RefereePurchased,
    ),
)
FACT_KINDS: Final[dict[str, FactKind]] = {kind.word: kind for kind in _KINDS}
PUBLISHED_TYPES: Final = tuple(kind.fact for kind in _KINDS)


def members_of(fact: MemberFact) -> tuple[str | None, ...]:
    """The accounts a fact is journalled for: both parties of a referral, else one; None is a guest."""
    if isinstance(fact, ReferralMade):
        return (fact.referee_id, fact.referrer_id)
    return (fact.member_id,)


def order_total_minor(fact: PurchaseRecorded) -> int:
    """The sum over all lines of what was paid, in minor units."""
    total = 0
    for line in fact.lines:  # a loop: it is asked for of every purchase, and the sum of a generator takes twice as long
        total += line.amount_minor
    return total
