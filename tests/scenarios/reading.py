"""Reads a scenario: a text table in which a loyalty manager says what happened and what should come of it.

    Title on the first line
    =======================
    Some sentences that say why.

    zone: Europe/Berlin
    horizon: 90 days                 (optional; also `referral window: 30 days`)

    ruleset 1 from 2026-01-01        (`from the beginning`; or `ruleset shipped coffee-chain/2026.1.yaml from …`)
        rules:
          - {id: base, kind: spend, points: 1, per_minor: 100}

    when             | who | what happened | expect
    2026-03-01 10:00 | ann | buys 12.50    | +12 base; balance 12

`when` is local to the zone (`2026-10-25 02:30 2nd` is the second time the clock shows it). A row without `when` is
another posting of the row above it. Rulesets are published before the first row, or where a row says `ruleset 2 is
published`. What may happen is in `happening.py`, what may be expected in `expecting.py`.

A re-scoring has spans of rules as well, and tables of what they change (see `rescoring/changes.py`):

    draft 2 from 2026-03-01 until 2026-04-01, laid over 1 ruleset
        rules:
          - {id: base, kind: spend, points: 2, per_minor: 100}

Without `until` it has no end; without `laid over` it lies over all rulesets of the file. Several make one layer.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

from processors.zones import zone_data

DAY_MS = 86_400_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BEGINNING = "1970-01-01"
SETTING = re.compile(r"(zone|horizon|referral window): +(.+)")
RULESET = re.compile(r"ruleset (shipped )?(\S+) from (the beginning|\S+)")
TIME = r"\S+(?: \d\d:\d\d)?"
DRAFT = re.compile(rf"draft (\S+) from ({TIME})(?: until ({TIME}))?(?:, laid over (\d+) rulesets?)?")
CHANGES = "changed "
DEFAULTS = {"programme": "scenario", "currency": "EUR", "examples": "[]"}


@dataclass(frozen=True)
class Version:
    """A ruleset of the scenario: its text and the local time from which it is in force."""

    name: str
    text: str
    effective_from: str


@dataclass(frozen=True)
class Span:
    """Rules that a draft tries from a local time until another ("": without end), over the first `over` rulesets."""

    version: Version
    until: str
    over: int | None


@dataclass(frozen=True)
class Expected:
    """One posting that a row should make: for whom, and what (see `expecting.py`)."""

    who: str
    told: str
    text: str


@dataclass
class Row:
    """One thing that happened, and all postings that it should make."""

    number: int
    when: str
    who: str
    happened: str
    expected: list[Expected] = field(default_factory=list)


@dataclass
class Scenario:
    """A whole file."""

    title: str
    zone: str = "UTC"
    horizon_ms: int = 90 * DAY_MS
    referral_window_ms: int = 30 * DAY_MS
    versions: dict[str, Version] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    changes: list[tuple[str, list[str]]] = field(default_factory=list)

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo.from_file(BytesIO(zone_data(self.zone)))

    def instant(self, local: str) -> int:
        """UTC ms of a local time; refuses one that a clock change skips."""
        digits, second = (local[:-4], True) if local.endswith(" 2nd") else (local, False)
        clock = datetime.fromisoformat(digits)
        utc = clock.replace(tzinfo=self._zone, fold=int(second)).astimezone(UTC)
        if utc.astimezone(self._zone).replace(tzinfo=None) != clock:
            raise ValueError(f"the clock in {self.zone} never shows {local}")
        return (utc - EPOCH) // timedelta(milliseconds=1)

    def local(self, at: int) -> str:
        """An instant as a scenario writes it."""
        clock = (EPOCH + timedelta(milliseconds=at)).astimezone(self._zone)
        text = clock.strftime("%Y-%m-%d %H:%M")
        if at % 60_000:
            text += f":{clock.second:02}.{at % 1000:03}"
        return f"{text} 2nd" if clock.fold else text


def read_scenario(path: Path) -> Scenario:
    """The scenario of a file.

    Raises:
        ValueError: naming the line that cannot be read.
    """
    lines = path.read_text("utf-8").splitlines()
    scenario = Scenario(lines[0])
    number = lines.index("")
    while number < len(lines):
        line = lines[number]
        number += 1
        if setting := SETTING.fullmatch(line):
            _set(scenario, *setting.groups())
        elif ruleset := RULESET.fullmatch(line):
            body, number = _body(lines, number)
            shipped, name, begins = ruleset.groups()
            scenario.versions[name] = _version(scenario, name, begins, "" if shipped is None else name, body)
        elif draft := DRAFT.fullmatch(line):
            body, number = _body(lines, number)
            name, begins, until, over = draft.groups()
            version = _version(scenario, name, begins, "", body)
            scenario.spans.append(Span(version, until or "", None if over is None else int(over)))
        elif line.startswith("when "):
            break
        elif line:
            raise ValueError(f"{path.name}:{number}: not a setting: {line}")
    is_of_changes = False
    for row_number, line in enumerate(lines[number:], number + 1):
        is_of_changes = is_of_changes or line.startswith(CHANGES)
        if line.strip() and is_of_changes:
            scenario.changes.append((f"{path.name}:{row_number}", [cell.strip() for cell in line.split("|")]))
        elif line.strip():
            _add_row(scenario, f"{path.name}:{row_number}", row_number, line)
    if not scenario.rows:
        raise ValueError(f"{path.name}: no row below `when | who | what happened | expect`")
    return scenario


def _set(scenario: Scenario, name: str, value: str) -> None:
    if name == "zone":
        scenario.zone = value
        return
    number, unit = value.split()
    size = int(number) * {"hours": DAY_MS // 24, "day": DAY_MS, "days": DAY_MS}[unit]
    if name == "horizon":
        scenario.horizon_ms = size
    else:
        scenario.referral_window_ms = size


def _body(lines: list[str], number: int) -> tuple[str, int]:
    """The indented lines from a line on, and where they end."""
    body = []
    while number < len(lines) and (lines[number].startswith("    ") or not lines[number].strip()):
        body.append(lines[number][4:])
        number += 1
    return "\n".join(body), number


def _version(scenario: Scenario, name: str, begins: str, shipped: str, body: str) -> Version:
    if shipped:
        text = files("rulesets").joinpath(*shipped.split("/")).read_text("utf-8")
    else:
        given = {**DEFAULTS, "version": f'"{name}"', "timezone": scenario.zone}
        head = [f"{key}: {value}\n" for key, value in given.items() if not re.search(rf"^{key}:", body, re.MULTILINE)]
        text = "".join(head) + body.strip() + "\n"
    return Version(name, text, BEGINNING if begins == "the beginning" else begins)


def _add_row(scenario: Scenario, place: str, number: int, line: str) -> None:
    cells = [cell.strip() for cell in line.split("|")]
    if len(cells) != 4:
        raise ValueError(f"{place}: a row has four cells: when | who | what happened | expect")
    when, who, happened, expect = cells
    if when:
        scenario.rows.append(Row(number, when, who, happened))
    if expect:
        scenario.rows[-1].expected.append(Expected(who, "" if when else happened, expect))
    elif not when:
        raise ValueError(f"{place}: a row without `when` says what else should come of the row above it")
