"""Knows which publication is in force at an instant: by the journal's own, and by the layers that an edition lays over.

The journal's publications count from where they stand; the spans of a layer count from the first line on. Where no
span covers an instant, the publication with the greatest `effective_from` at or before it is in force, the later one on
a tie.
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.facts import RulesetPublished
from schemas.posting import RuleLayer, RuleSpan


class RuleTimeline:
    """The publications so far and the layers over them; `at` answers for an instant (UTC ms)."""

    def __init__(self, layers: Sequence[RuleLayer] = ()) -> None:
        self.layers = tuple(layers)
        self.publications: list[RulesetPublished] = []
        # From each instant on until the next, latest first, this publication is in force.
        self._changes: list[tuple[int, RulesetPublished | None]] = []
        self._lay_out()

    def publish(self, published: RulesetPublished) -> None:
        """Take one more publication of the journal."""
        self.publications.append(published)
        self._lay_out()

    def at(self, instant: int) -> RulesetPublished | None:
        """The publication in force at an instant (UTC ms); None if there is none."""
        for starts, published in self._changes:
            if starts <= instant:
                return published
        return None

    def changes(self) -> list[tuple[int, RulesetPublished | None]]:
        """From which instants (UTC ms) on, latest first, which publication is in force."""
        return self._changes

    def _lay_out(self) -> None:
        """Ask for every instant at which the answer may change, and keep the answers."""
        instants = {published.effective_from for published in self.publications}
        for layer in self.layers:
            instants.update(span.from_at for span in layer.spans)
            instants.update(span.until_at for span in layer.spans if span.until_at is not None)
        self._changes = [(instant, self._work_out(instant)) for instant in sorted(instants, reverse=True)]

    def _work_out(self, instant: int) -> RulesetPublished | None:
        for layer in reversed(self.layers):
            for span in layer.spans:
                if covers(span, instant):
                    # What is published after the layer was opened wins from its beginning on, unless that is earlier.
                    later = [one for one in self.publications[layer.covers :] if one.effective_from >= span.from_at]
                    return in_force(later, instant) or span.published
        return in_force(self.publications, instant)


def covers(span: RuleSpan, instant: int) -> bool:
    """Whether a span holds at an instant (UTC ms)."""
    return span.from_at <= instant and (span.until_at is None or instant < span.until_at)


def in_force(publications: Sequence[RulesetPublished], at: int) -> RulesetPublished | None:
    """The publication with the greatest `effective_from` at or before `at` (UTC ms), the later one on a tie."""
    found: RulesetPublished | None = None
    for published in publications:
        if published.effective_from <= at and (found is None or published.effective_from >= found.effective_from):
            found = published
    return found
