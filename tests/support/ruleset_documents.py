"""Ruleset texts that several tests start from."""

from processors.decider.rules.ruleset import Ruleset
from processors.ruleset.parse import RulesetError, RulesetRefused, parse_ruleset

HEAD = 'programme: tried\nversion: "1"\ntimezone: Europe/Berlin\ncurrency: EUR\n'
BASE = "  - {id: base, kind: spend, points: 1, per_minor: 100}\n"


def document(rules: str = BASE, before: str = "", after: str = "") -> str:
    """A ruleset with these rules, and what stands before and after them."""
    return f"{HEAD}{before}rules:\n{rules}{after}"


def parsed(text: str) -> Ruleset:
    """The ruleset of a text that must be one."""
    return parse_ruleset(text, "tried.yaml")[0]


def errors_of(text: str) -> list[RulesetError]:
    """The errors of a text that may be a ruleset."""
    try:
        parsed(text)
    except RulesetRefused as refused:
        return refused.errors
    return []
