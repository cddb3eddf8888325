"""One valid event of each kind that publishers may send: the first thing a newcomer feeds to Tallybook."""

import json
from typing import Final

import msgspec

from schemas.facts import FACT_KINDS, PublishedFact
from schemas.instants import format_instant

# The words for kinds of facts that people type.
KINDS: Final[dict[str, type[PublishedFact]]] = {word.replace("_", "-"): kind.fact for word, kind in FACT_KINDS.items()}


def example_fact(kind: str, occurred_at: int) -> PublishedFact:
    """The example of a kind, happening at `occurred_at` (UTC ms); raises KeyError for an unknown kind."""
    return msgspec.structs.replace(FACT_KINDS[kind.replace("-", "_")].example, occurred_at=occurred_at)


def example_json(kind: str, occurred_at: int) -> str:
    """The example of a kind as one line of JSON, as a publisher would send it: the instant as RFC 3339 text.

    `occurred_at` is in UTC ms. Raises KeyError for an unknown kind.
    """
    event: dict[str, object] = msgspec.to_builtins(example_fact(kind, occurred_at))
    return json.dumps(event | {"occurred_at": format_instant(occurred_at)}, ensure_ascii=False)
