"""Takes the event out of a CloudEvents envelope in JSON (CloudEvents 1.0.2, JSON event format)."""

from collections.abc import Mapping
from typing import Any, Final

from processors.intake.refusal import Problem, quoted

# What an event leaves out is taken from its envelope, where the specification gives it the same meaning.
_STANDS_FOR: Final = {"id": "event_id", "source": "source", "time": "occurred_at"}


def is_envelope(document: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a CloudEvents envelope: only these have a `specversion`."""
    return "specversion" in document


def unwrap(envelope: Mapping[str, Any]) -> Mapping[str, Any]:
    """The event inside; raises Problem if there is none.

    An event without a `type` of its own takes the last dotted part of the envelope's; without an `event_id`,
    `source` or `occurred_at`, the envelope's `id`, `source` and `time`.
    """
    if "data_base64" in envelope:
        raise Problem("wrong_type", "data_base64 is not read: send the event as a JSON object in data", "data_base64")
    if "data" not in envelope:
        raise Problem("missing_field", "data is missing: the event stands there in a CloudEvents envelope", "data")
    data = envelope["data"]
    if not isinstance(data, dict):
        raise Problem("wrong_type", f"data must be a JSON object, not {quoted(data)}", "data")
    event: dict[str, Any] = dict(data)
    kind = envelope.get("type")
    if "type" not in event and isinstance(kind, str):
        event["type"] = kind.rpartition(".")[2]
    for theirs, ours in _STANDS_FOR.items():
        if ours not in event and theirs in envelope:
            event[ours] = envelope[theirs]
    return event
