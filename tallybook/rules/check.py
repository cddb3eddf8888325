"""Checks a ruleset file as a whole: its errors by line, what is hardly meant, and whether its examples come out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from processors.decider.rules.ruleset import Ruleset
from processors.ruleset.parse import RulesetRefused, RulesetWarning, parse_ruleset
from processors.ruleset.run_examples import run_examples, score_with
from tallybook.folder.folder import read_ruleset_text
from tallybook.screen import counted


class Finding(msgspec.Struct, frozen=True):
    """Says what is wrong at a line of a file (from 1); `kind` is error, warning or example."""

    kind: str
    line: int
    path: str
    message: str


class RulesetChecked(msgspec.Struct):
    """Holds what a check found; refused if there is an error or an example that comes out otherwise."""

    file: str
    summary: str
    findings: list[Finding]
    is_edited: bool = False

    def compare(self, edited: Mapping[Path, str], file: Path) -> None:
        """Add a finding if the file is among those that were edited after their version was published."""
        said = next((said for known, said in edited.items() if known.resolve() == file.resolve()), None)
        if said is not None:
            self.is_edited = True
            self.findings.append(Finding("published", 1, "version", said))
            self.summary = self.summary.replace(": all right", ": not what was published")

    @property
    def is_refused(self) -> bool:
        """Whether the ruleset cannot be published."""
        return any(finding.kind in {"error", "example"} for finding in self.findings)

    def report(self) -> list[str]:
        """Say in lines what was found."""
        lines = []
        for finding in self.findings:
            path = f"{finding.path}: " if finding.path else ""
            lines.append(f"{self.file}:{finding.line}: {finding.kind}: {path}{finding.message}")
        return [*lines, f"{self.file}: {self.summary}"]

    def as_json(self) -> dict[str, Any]:
        """Give the same as plain data."""
        content: dict[str, Any] = msgspec.to_builtins(self)
        return content | {"ok": not self.is_refused and not self.is_edited}


def check_ruleset(file: Path) -> RulesetChecked:
    """Find what is wrong with a ruleset file, and run its examples; FolderRefused where it cannot be read."""
    try:
        text = read_ruleset_text(file)
    except RulesetRefused as refused:
        return refused_ruleset(file, refused)
    return check_text(file, text)[0]


def check_text(file: Path, text: str) -> tuple[RulesetChecked, Ruleset | None]:
    """Look for what is wrong with a text of a ruleset file, and run its examples; the ruleset, if it is one."""
    name = str(file)
    try:
        ruleset, warnings = parse_ruleset(text, name)
    except RulesetRefused as refused:
        return refused_ruleset(file, refused), None
    findings = [_warning(warning) for warning in warnings]
    if file.stem != ruleset.version:
        said = f"the file is called {file.name}, and its version is {ruleset.version}"
        findings.append(Finding("warning", 1, "version", _said(said, f"name it {ruleset.version}.yaml")))
    # The one publication of the examples has this text, which need not be read again.
    failures = run_examples(ruleset, text, score_with(lambda _: ruleset))
    findings += [Finding("example", each.line, each.name, each.message) for each in failures]
    parts = (
        f"version {ruleset.version} of {ruleset.programme}{f' ({ruleset.title})' if ruleset.title else ''}",
        counted(len(ruleset.rules), "rule"),
        counted(len(ruleset.limits), "limit"),
        counted(len(ruleset.examples), "example"),
    )
    outcome = "some do not come out" if failures else "all right"
    return RulesetChecked(name, f"{', '.join(parts)}: {outcome}", findings), ruleset


def refused_ruleset(file: Path, refused: RulesetRefused) -> RulesetChecked:
    """What a check says of a file that is no ruleset."""
    errors = [Finding("error", each.line, each.path, _said(each.message, each.hint)) for each in refused.errors]
    return RulesetChecked(str(file), f"{len(errors)} to mend", errors)


def _warning(warning: RulesetWarning) -> Finding:
    return Finding("warning", warning.line, warning.path, _said(warning.message, warning.hint))


def _said(message: str, hint: str) -> str:
    return f"{message} ({hint})" if hint else message
