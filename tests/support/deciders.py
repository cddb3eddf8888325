"""How tests start the decider and the reference ledger, both in the same way, and what they tell them first."""

from collections.abc import Callable, Sequence
from functools import lru_cache

from processors.decider.partition_machine import PartitionMachine
from processors.decider.rules.ruleset import Ruleset
from processors.ruleset.parse import parse_ruleset, ruleset_hash
from processors.zones import zone_data
from schemas.bounds import DAY_MS, MAX_LOTS
from schemas.facts import JournalOpened, PurchaseLine, PurchaseRecorded, RulesetPublished
from schemas.pages import JournalLine
from schemas.posting import Posting, RuleLayer
from tests.reference.ledger import ReferenceLedger

Feed = Callable[[JournalLine], list[Posting]]
SEMANTICS = 1
START = 1_774_310_400_000  # 2026-03-24T00:00:00Z


@lru_cache(maxsize=256)
def load(text: str) -> Ruleset:
    """A validated ruleset, read once per text."""
    ruleset, _ = parse_ruleset(text, "a test's ruleset")
    return ruleset


def decider_feed(opened: JournalOpened, max_lots: int = MAX_LOTS, layers: Sequence[RuleLayer] = ()) -> Feed:
    """The decider under test."""
    machine = PartitionMachine(opened, layers, load)
    machine.partition.max_lots = max_lots
    return machine.feed


def reference_feed(opened: JournalOpened, max_lots: int = MAX_LOTS, layers: Sequence[RuleLayer] = ()) -> Feed:
    """The reference ledger."""
    return ReferenceLedger(opened, max_lots, layers).feed


def published(text: str, zone: str, *, version: str, effective_from: int) -> RulesetPublished:
    """The publication of a ruleset's text."""
    return RulesetPublished(
        version=version,
        ruleset_hash=ruleset_hash(text),
        effective_from=effective_from,
        semantics=SEMANTICS,
        text=text,
        timezone=zone,
        tzif=zone_data(zone),
    )


def opened() -> JournalOpened:
    """The constants of a small partition; a horizon of ten days and a referral window of five."""
    return JournalOpened("laws", 1, 1, 0, horizon_ms=10 * DAY_MS, referral_window_ms=5 * DAY_MS)


def purchase(event_id: str, occurred_at: int) -> PurchaseRecorded:
    """A purchase of Ann's, for tests that need one exactly so."""
    return PurchaseRecorded("pos", event_id, occurred_at, event_id, "EUR", (PurchaseLine("A", 100),), "ann")
