"""How tests start the decider and the reference ledger: the same constants in, the same interface out."""

from collections.abc import Callable
from functools import lru_cache

from processors.decider.partition_machine import PartitionMachine
from processors.decider.rules.ruleset import Ruleset
from processors.ruleset.parse import parse_ruleset, ruleset_hash
from processors.zones import zone_data
from schemas.bounds import MAX_LOTS
from schemas.facts import JournalOpened, RulesetPublished
from schemas.pages import JournalLine
from schemas.posting import Posting
from tests.reference.ledger import ReferenceLedger

Feed = Callable[[JournalLine], list[Posting]]
SEMANTICS = 1


@lru_cache(maxsize=256)
def load(text: str) -> Ruleset:
    """A validated ruleset, read once per text."""
    ruleset, _ = parse_ruleset(text, "a test's ruleset")
    return ruleset


def decider_feed(opened: JournalOpened, max_lots: int = MAX_LOTS) -> Feed:
    """The decider under test."""
    machine = PartitionMachine(opened, load)
    machine.partition.max_lots = max_lots
    return machine.feed


def reference_feed(opened: JournalOpened, max_lots: int = MAX_LOTS) -> Feed:
    """The reference ledger."""
    return ReferenceLedger(opened, max_lots).feed


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
