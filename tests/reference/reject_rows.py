"""The reference for the rows of rejects, in plain Python, original bytes included."""

from collections.abc import Sequence

from projections.store import Columns
from schemas.pages import Reject


def reject_rows(rejects: Sequence[Reject]) -> dict[str, Columns]:
    """The rows of rejects, by table."""
    return {
        "rejects": {
            "number": [x.number for x in rejects],
            "reason": [x.reason for x in rejects],
            "message": [x.message for x in rejects],
            "field": [x.field for x in rejects],
            "fact_type": [x.fact_type for x in rejects],
            "source": [x.source for x in rejects],
            "event_id": [x.event_id for x in rejects],
            "input": [x.input for x in rejects],
            "input_name": [x.input_name for x in rejects],
            "record": [x.record for x in rejects],
            "at_line": [x.at_line for x in rejects],
            "received_at": [x.received_at for x in rejects],
            "raw": [x.raw for x in rejects],
            "headers": [x.headers for x in rejects],
            "resubmit_of": [x.resubmit_of for x in rejects],
        }
    }
