"""Makes the plan of a re-scoring: which rules hold instead of those of the books, from when until when, up to where."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Context, Decimal
from itertools import pairwise
from pathlib import Path
from shlex import quote
from typing import Any, Final

import msgspec

from books.log import LogReader
from processors.decider.partition_state import KNOWN_SEMANTICS
from processors.decider.rules.ruleset import Ruleset
from processors.decider.rules.timeline import RuleTimeline
from processors.replay.rescore.partition_run import Cut
from processors.replay.rescore.two_worlds import Selection
from processors.ruleset.parse import decode_ruleset, ruleset_hash
from processors.ruleset.yaml_text import read_yaml
from processors.zones import zone_data
from schemas.facts import RulesetPublished
from schemas.instants import format_instant
from schemas.posting import RuleLayer, RuleSpan
from tallybook.folder.folder import FolderRefused, load_published, read_ruleset
from tallybook.folder.publish_rules import read_local_time
from tallybook.rescore.cuts import make_cuts
from tallybook.rules.timeline import published_in

MAX_DRAFTS: Final = 8
NEVER: Final = "never"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", re.ASCII)
# More digits than a point's value (18) and the points of a programme (20) can have together.
_EXACT: Final = Context(prec=64)
_WORTH: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?([A-Z]{3})", re.ASCII)


class RescoreRefused(FolderRefused):
    """A re-scoring cannot be planned or read this way; the message says why and what to do. Nothing was changed."""


class Draft(msgspec.Struct, frozen=True):
    """One set of rules to be tried: its name, and all layers of its rule timeline."""

    name: str
    layers: tuple[RuleLayer, ...]


class Plan(msgspec.Struct, frozen=True):
    """All that decides what a run finds: the same plan over the same books finds the same.

    `base` is the edition compared with; `cuts` say how far each partition is read; `last_tick` (UTC ms) is the last
    tick up to there. `point_value` is what a point is worth as a decimal with a currency; empty: no money is shown.
    """

    deployment: str
    generation: int
    opened_at: int
    base: str
    cuts: tuple[Cut, ...]
    last_tick: int
    drafts: tuple[Draft, ...]
    selection: Selection
    point_value: str = ""


class Asked(msgspec.Struct, frozen=True):
    """Spans as a person asked for them: a ruleset file, from when, until when ("": to the end)."""

    file: Path
    from_: str
    until: str = ""


def make_plan(
    log: LogReader,
    drafts: Sequence[tuple[str, Sequence[Asked]]],
    selection: Selection,
    point_value: str = "",
    semantics: int | None = None,
) -> Plan:
    """Read the ruleset files, and plan a run up to what the books hold now.

    Raises:
        RescoreRefused: a span lies in the future, is empty, overlaps another, or hides publications that were not
            named; or a ruleset is of another programme, or has a published version's name and another text.
        RulesetRefused: a ruleset has errors.
        BooksError: the books cannot be read.
    """
    if not drafts:
        raise RescoreRefused("name the rules to try: --rules FILE --from DATE. Nothing was changed.")
    if len(drafts) > MAX_DRAFTS:
        raise RescoreRefused(f"at most {MAX_DRAFTS} drafts in one run, and these are {len(drafts)}")
    opened, base = log.opened(), log.current_edition()
    cuts, last_tick = make_cuts(log, base)
    published = [each.fact for each in published_in(log)]
    if not published or not last_tick:
        raise RescoreRefused("these books have no rules or no tick yet, so there is nothing to score again")
    maker = LayerMaker(published, log.edition(base).layers, last_tick, semantics)
    return Plan(
        deployment=opened.deployment,
        generation=opened.generation,
        opened_at=opened.opened_at,
        base=base,
        cuts=cuts,
        last_tick=last_tick,
        drafts=tuple(Draft(_checked_name(name), maker.layers(asked)) for name, asked in drafts),
        selection=selection,
        point_value=checked_worth(point_value),
    )


class LayerMaker:
    """Lays the rules that are tried over the publications and layers of the base."""

    def __init__(
        self,
        published: Sequence[RulesetPublished],
        layers: Sequence[RuleLayer],
        last_tick: int,
        semantics: int | None,
    ) -> None:
        self._published = published
        self._layers = tuple(layers)
        self._last_tick = last_tick
        self._semantics = semantics
        self._timeline = RuleTimeline(layers)
        for each in published:
            self._timeline.publish(each)

    def layers(self, asked: Sequence[Asked]) -> tuple[RuleLayer, ...]:
        """The layers of a draft: those of the base, and one more with the spans asked for."""
        spans = sorted((self._span(each) for each in asked), key=lambda span: span.from_at)
        for one, following in pairwise(spans):
            if one.until_at is None or one.until_at > following.from_at:
                raise RescoreRefused(
                    f"version {one.published.version} and version {following.published.version} overlap at "
                    f"{format_instant(following.from_at)}: let the first end there. Nothing was changed."
                )
        return self.over_all(spans)

    def over_all(self, spans: Sequence[RuleSpan]) -> tuple[RuleLayer, ...]:
        """The layers of the base, and one more of these spans over all that is published."""
        return (*self._layers, RuleLayer(len(self._published), tuple(spans)))

    def _span(self, asked: Asked) -> RuleSpan:
        text, ruleset = read_ruleset(asked.file)
        self.require_programme(asked.file, ruleset)
        if self.is_published_otherwise(text, ruleset):
            raise RescoreRefused(
                f"{asked.file} says it is version {ruleset.version}, which was published with another text: give it a "
                f"`version:` of its own (`tallybook rules show {ruleset.version}` prints the published one). "
                "Nothing was changed."
            )
        from_at = read_local_time(asked.from_, ruleset.timezone, "--from")
        until_at = None if asked.until in ("", NEVER) else read_local_time(asked.until, ruleset.timezone, "--until")
        if from_at > self._last_tick:
            raise RescoreRefused(
                f"--from {asked.from_} lies after the last tick, {format_instant(self._last_tick)}: nothing is scored "
                f"there yet. Rules of the future are published: tallybook rules publish {quote(str(asked.file))} "
                f"--effective-from {asked.from_}. Nothing was changed."
            )
        if until_at is not None and until_at <= from_at:
            raise RescoreRefused(f"--until {asked.until} is not after --from {asked.from_}. Nothing was changed.")
        if not asked.until:
            self._require_nothing_hidden(asked, from_at)
        return self.span(text, ruleset, from_at, until_at)

    def span(self, text: str, ruleset: Ruleset, from_at: int, until_at: int | None = None) -> RuleSpan:
        """A span with these rules, under the semantics and with the zone data that the books have."""
        effective = RulesetPublished(
            version=ruleset.version,
            ruleset_hash=ruleset_hash(text),
            effective_from=from_at,
            semantics=self._semantics_at(from_at),
            text=text,
            timezone=ruleset.timezone,
            tzif=self.tzif(ruleset.timezone),
        )
        return RuleSpan(from_at, effective, until_at)

    def require_programme(self, file: Path, ruleset: Ruleset) -> None:
        """Raise RescoreRefused where the rules are of another programme than the books."""
        programme = load_published(self._published[-1].text).programme
        if ruleset.programme != programme:
            raise RescoreRefused(
                f"{file} is of programme {ruleset.programme!r}, and these books are of {programme!r}. "
                "Nothing was changed."
            )

    def is_published_otherwise(self, text: str, ruleset: Ruleset) -> bool:
        """Whether the version of these rules was published with another text."""
        hashed = ruleset_hash(text)
        return any(each.version == ruleset.version and each.ruleset_hash != hashed for each in self._published)

    def _require_nothing_hidden(self, asked: Asked, from_at: int) -> None:
        """Without `--until` a span would hide what was published for later: say so instead."""
        hidden = [(at, each) for at, each in self._timeline.changes() if at > from_at and each is not None]
        if hidden and self._timeline.at(from_at) is None:
            del hidden[-1]  # nothing was in force before it: the span replaces it from the beginning
        if hidden:
            at, _ = hidden[-1]
            named = ", ".join(f"{each.version} (from {format_instant(at)})" for at, each in reversed(hidden))
            raise RescoreRefused(
                f"after --from {asked.from_} other rules came into force: {named}. Say until when {asked.file} holds: "
                f"--until {format_instant(at)} to keep them, or --until {NEVER} to replace them. Nothing was changed."
            )

    def _semantics_at(self, instant: int) -> int:
        """The behaviour of the decider that was in force there, unless another one is asked for."""
        if self._semantics is not None:
            if self._semantics not in KNOWN_SEMANTICS:
                raise RescoreRefused(
                    f"--semantics {self._semantics} is unknown to this program, which has {sorted(KNOWN_SEMANTICS)}. "
                    "Nothing was changed."
                )
            return self._semantics
        published = self._timeline.at(instant)
        return (self._published[0] if published is None else published).semantics

    def tzif(self, timezone: str) -> bytes:
        """The zone data that the books have of a zone, so that another release of it makes no difference."""
        known = [each.tzif for each in self._published if each.timezone == timezone]
        return known[-1] if known else zone_data(timezone)


def read_timeline(file: Path) -> list[Asked]:
    """Read a YAML file that lists spans: `rules`, `from` and `until` each; paths count from the file's folder.

    Raises:
        RescoreRefused: it is no such file.
        RulesetRefused: it is no text.
    """
    try:
        tree = read_yaml(decode_ruleset(file.read_bytes(), str(file)))
    except OSError as error:
        raise RescoreRefused(f"{file}: {error.strerror}. Nothing was changed.") from error
    if tree.faults:
        fault = tree.faults[0]
        where = f"{file}:{fault.place.line}:{fault.place.column}"
        raise RescoreRefused(f"{where}: {fault.message} ({fault.hint}). Nothing was changed.")
    if not isinstance(tree.data, list) or not tree.data:
        raise RescoreRefused(
            f"{file}: write a list of `{{rules: FILE, from: DATE, until: DATE}}`. Nothing was changed."
        )
    return [_asked(f"{file}:{tree.places[number,].line}", file, item) for number, item in enumerate(tree.data)]


def _asked(where: str, file: Path, item: Any) -> Asked:
    known = {"rules", "from", "until"}
    if not isinstance(item, dict) or not {"rules", "from"} <= item.keys() or item.keys() - known:
        raise RescoreRefused(
            f"{where}: each item must have `rules` and `from`, and may have `until`, nothing else. Nothing was changed."
        )
    for name, value in item.items():
        if not isinstance(value, str) or not value:
            raise RescoreRefused(
                f"{where}: `{name}` must be "
                + ("a file name" if name == "rules" else "a time, such as 2026-12-01 or 2026-12-01T06:00")
                + ("; `until` may be `never`" if name == "until" else "")
                + ". Nothing was changed."
            )
    return Asked(file.parent / item["rules"], item["from"], item.get("until", ""))


def worth_of(points: int, point_value: str) -> str:
    """What points are worth, exact to the last digit, such as `-12.50 EUR`; empty where no value was given."""
    if not point_value:
        return ""
    value, currency = point_value.split()
    return f"{_EXACT.multiply(Decimal(value), points):,f} {currency}"


def checked_worth(point_value: str) -> str:
    """Read what a person typed as the value of a point; "" stays. Raises RescoreRefused where it is none."""
    if not point_value:
        return ""
    found = _WORTH.fullmatch(point_value.strip())
    if found is None or not Decimal(found[1]):
        raise RescoreRefused(
            f"--point-value {point_value!r} is no value: write an amount and a currency, such as '0.01 EUR'. Nothing "
            "was changed."
        )
    return f"{found[1]} {found[2]}"


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise RescoreRefused(
            f"{name!r} is no name for a draft: up to 40 letters, digits, dots, dashes and underscores, a letter or "
            "digit first. --draft NAME=FILE gives a file another one. Nothing was changed."
        )
    return name
