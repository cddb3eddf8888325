"""Opens claims on a referee's purchases, and finds the derived facts that a purchase owes to both sides."""

from typing import Final

from processors.decider.account import Account, Claim, Purchase
from processors.decider.partition_state import Partition
from schemas.entry_ids import DERIVED_SOURCE, referee_purchased_event_id
from schemas.facts import PurchaseRecorded, RefereePurchased, order_total_minor
from schemas.posting import Reason

MAX_OPEN_CLAIMS: Final = 32
MAX_PURCHASES_REMEMBERED: Final = 1_000


def claim_for(partition: Partition, account: Account, referrer_id: str, claimed_at: int) -> Claim | Reason:
    """The claim that a referral opens on this account, or why it opens none."""
    near = [claim for claim in account.claims if abs(claim.claimed_at - claimed_at) < partition.referral_window_ms]
    if any(claim.referrer_id == referrer_id for claim in near):
        return Reason.ALREADY_CLAIMED
    if len(near) >= MAX_OPEN_CLAIMS:
        return Reason.TOO_MANY_CLAIMS
    return Claim(referrer_id, account.claims_opened + 1, claimed_at)


def covers(partition: Partition, claim: Claim, occurred_at: int) -> bool:
    """Whether a purchase at `occurred_at` falls into the claim's half-open window."""
    return claim.claimed_at <= occurred_at < claim.claimed_at + partition.referral_window_ms


def owed_to_new_claim(partition: Partition, account: Account, claim: Claim) -> list[RefereePurchased]:
    """The facts owed for purchases that came before a claim which covers them: each is told to both sides."""
    owed: list[RefereePurchased] = []
    first_rank = account.purchases_made - MAX_PURCHASES_REMEMBERED + 1
    for purchase in account.purchases:
        if purchase.rank >= first_rank and covers(partition, claim, purchase.occurred_at):
            owed.extend(_both(account.member_id, claim, purchase))
    return owed


def owed_for_purchase(
    partition: Partition, account: Account, new_claim: Claim | None, purchase: Purchase
) -> list[RefereePurchased]:
    """The facts owed for a purchase: one for each side of every claim that covers it, by the claim's rank."""
    owed: list[RefereePurchased] = []
    claims = account.claims if new_claim is None else [*account.claims, new_claim]
    for claim in claims:
        if covers(partition, claim, purchase.occurred_at):
            owed.extend(_both(account.member_id, claim, purchase))
    return owed


def purchase_of(fact: PurchaseRecorded, rank: int) -> Purchase:
    """What an account remembers of a purchase."""
    return Purchase(rank, fact.occurred_at, order_total_minor(fact), fact.currency, fact.source, fact.event_id)


def _both(referee_id: str, claim: Claim, purchase: Purchase) -> tuple[RefereePurchased, RefereePurchased]:
    return (_told(claim.referrer_id, referee_id, claim, purchase), _told(referee_id, referee_id, claim, purchase))


def _told(member_id: str, referee_id: str, claim: Claim, purchase: Purchase) -> RefereePurchased:
    return RefereePurchased(
        source=DERIVED_SOURCE,
        event_id=referee_purchased_event_id(referee_id, claim.rank, purchase.rank),
        occurred_at=purchase.occurred_at,
        member_id=member_id,
        referrer_id=claim.referrer_id,
        referee_id=referee_id,
        claim_rank=claim.rank,
        purchase_rank=purchase.rank,
        amount_minor=purchase.amount_minor,
        currency=purchase.currency,
        claimed_at=claim.claimed_at,
        purchase_source=purchase.source,
        purchase_event_id=purchase.event_id,
    )
