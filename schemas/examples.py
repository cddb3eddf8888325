"""Facts as the events that publishers send, and one example of each kind: what a newcomer feeds to Tallybook first."""

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
    return json.dumps(event_of(example_fact(kind, occurred_at)), ensure_ascii=False)


def event_of(fact: PublishedFact) -> dict[str, object]:
    """A fact as a publisher would send it: the instant as RFC 3339 text, and nothing that is not given."""
    event: dict[str, object] = msgspec.to_builtins(fact)
    return event | {"occurred_at": format_instant(fact.occurred_at)}
