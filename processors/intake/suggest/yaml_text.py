"""Writes a proposed mapping as YAML, each unsure setting with a comment, for a person to look through and keep."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from processors.intake.suggest.propose import Proposal

_PLAIN: Final = re.compile(r"[^\W\d_][\w./ -]*", re.UNICODE)
_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null"})
_WIDTH: Final = 30


def as_yaml(proposal: Proposal, beside: str) -> str:
    """The mapping as YAML; `beside` is how the file that it was proposed for is called."""
    lines = [
        f"# Proposed for {beside}. Look at each line marked UNSURE, then: tallybook check FILE --mapping THIS_FILE"
    ]
    lines += [f"# {remark}" for remark in proposal.remarks]
    for name, value in proposal.settings.items():
        if isinstance(value, Mapping) and value:
            lines.append(_told(f"{name}:", proposal.unsure.get(name)))
            for key, inner in value.items():
                lines.append(_told(f"  {_scalar(key)}: {_flow(inner)}", proposal.unsure.get(f"{name}.{key}")))
        else:
            lines.append(_told(f"{name}: {_flow(value)}", proposal.unsure.get(name)))
    return "\n".join(lines) + "\n"


def _told(line: str, doubt: str | None) -> str:
    return f"{line:<{_WIDTH}} # UNSURE: {doubt}" if doubt else line


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(inner) for inner in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _scalar(str(value)) if not isinstance(value, int) else str(value)


def _scalar(text: str) -> str:
    """A text as YAML reads it back; in quotes where it might be taken for something else."""
    is_plain = _PLAIN.fullmatch(text) and text == text.strip() and text.lower() not in _WORDS
    return text if is_plain else json.dumps(text, ensure_ascii=False)
