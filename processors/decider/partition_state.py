"""Keeps what decisions depend on beside the account: a partition's last tick, its constants and its published rules."""

from collections.abc import Callable, Sequence
from typing import Final

from processors.decider.rules.compile import CompiledRuleset
from processors.decider.rules.timeline import RuleTimeline
from schemas.bounds import MAX_LOTS
from schemas.facts import JournalOpened, RulesetPublished
from schemas.posting import RuleLayer

KNOWN_SEMANTICS: Final = frozenset({1})
SEMANTICS: Final = 1

Compile = Callable[[RulesetPublished], CompiledRuleset]


class UnknownSemanticsError(Exception):
    """The journal names a behaviour of the decider that this program does not have."""


class Partition:
    """Last tick, horizon, referral window and rules of a partition, read-only to `decide`.

    `layers` are those of the edition that is decided.
    """

    def __init__(self, opened: JournalOpened, layers: Sequence[RuleLayer], compile_published: Compile) -> None:
        self.horizon_ms = opened.horizon_ms
        self.referral_window_ms = opened.referral_window_ms
        self.max_lots = MAX_LOTS
        self.pass_tick(0)
        self._compile = compile_published
        self._timeline = RuleTimeline(layers)
        self._rules: list[tuple[int, CompiledRuleset | None]] = []
        self._compiled: dict[RulesetPublished, CompiledRuleset] = {}
        for layer in layers:
            for span in layer.spans:
                _require_known(span.published)
        self._compile_all()

    def pass_tick(self, at: int) -> None:
        """Take an instant (ms) as that of the last tick; 0: no tick yet."""
        self.last_tick = at
        # Nothing that happened before this instant is scored or needs to be remembered.
        self.horizon_at = at - self.horizon_ms

    @property
    def publications(self) -> list[RulesetPublished]:
        """What the journal has published so far."""
        return self._timeline.publications

    def publish(self, published: RulesetPublished) -> None:
        """Put a publication on the timeline; raises UnknownSemanticsError for a behaviour that this program lacks."""
        _require_known(published)
        self._timeline.publish(published)
        self._compile_all()

    def published_at(self, instant: int) -> RulesetPublished | None:
        """The publication in force for what happened at an instant (UTC ms)."""
        return self._timeline.at(instant)

    def rules_at(self, occurred_at: int) -> CompiledRuleset | None:
        """The compiled ruleset of the publication in force; None if there is none."""
        for starts, rules in self._rules:
            if starts <= occurred_at:
                return rules
        return None

    def _compile_all(self) -> None:
        self._rules = []
        for starts, published in self._timeline.changes():
            if published is not None and published not in self._compiled:
                self._compiled[published] = self._compile(published)
            self._rules.append((starts, None if published is None else self._compiled[published]))


def _require_known(published: RulesetPublished) -> None:
    if published.semantics not in KNOWN_SEMANTICS:
        raise UnknownSemanticsError(
            f"ruleset {published.version} was published for decider semantics {published.semantics}; "
            f"this program knows {sorted(KNOWN_SEMANTICS)}: use a newer Tallybook"
        )
