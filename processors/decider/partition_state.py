"""Keeps what decisions depend on beside the account: a partition's last tick, its constants and its published rules."""

from collections.abc import Callable
from typing import Final

from processors.decider.rules.compile import CompiledRuleset
from schemas.bounds import MAX_LOTS
from schemas.facts import JournalOpened, RulesetPublished

KNOWN_SEMANTICS: Final = frozenset({1})
SEMANTICS: Final = 1

Compile = Callable[[RulesetPublished], CompiledRuleset]


class UnknownSemanticsError(Exception):
    """The journal names a behaviour of the decider that this program does not have."""


class Partition:
    """Last tick, horizon, referral window and rule timeline of a partition, read-only to `decide`."""

    def __init__(self, opened: JournalOpened, compile_published: Compile) -> None:
        self.horizon_ms = opened.horizon_ms
        self.referral_window_ms = opened.referral_window_ms
        self.max_lots = MAX_LOTS
        self.pass_tick(0)
        self.publications: list[RulesetPublished] = []
        self._compile = compile_published
        self._timeline: list[tuple[int, int, CompiledRuleset]] = []

    def pass_tick(self, at: int) -> None:
        """Take an instant (ms) as that of the last tick; 0: no tick yet."""
        self.last_tick = at
        # Nothing that happened before this instant is scored or needs to be remembered.
        self.horizon_at = at - self.horizon_ms

    def publish(self, published: RulesetPublished) -> None:
        """Put a publication on the timeline; raises UnknownSemanticsError for a behaviour that this program lacks."""
        if published.semantics not in KNOWN_SEMANTICS:
            raise UnknownSemanticsError(
                f"ruleset {published.version} was published for decider semantics {published.semantics}; "
                f"this program knows {sorted(KNOWN_SEMANTICS)}: use a newer Tallybook"
            )
        self.publications.append(published)
        self._timeline.append((published.effective_from, len(self.publications), self._compile(published)))
        self._timeline.sort(key=lambda item: item[:2], reverse=True)

    def rules_at(self, occurred_at: int) -> CompiledRuleset | None:
        """The ruleset in force: greatest `effective_from` ≤ `occurred_at`, the later publication on a tie."""
        for effective_from, _, rules in self._timeline:
            if effective_from <= occurred_at:
                return rules
        return None
