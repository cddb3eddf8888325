"""Compares the rejects of an event with what was taken in under the same source and event id."""

from collections.abc import Collection, Sequence

from processors.intake.door import admit_json
from processors.intake.refusal import Refusal, event_of
from schemas.canonical import content_hash
from schemas.facts import MemberFact
from schemas.pages import Reject
from tallybook.explain.contents import side_by_side
from tallybook.explain.model import EventExplained, LaterContent, RejectState
from tallybook.explain.search import Hit


def reject_states(
    rejects: Sequence[Reject], hits: Sequence[Hit], events: Sequence[EventExplained], mended: Collection[int]
) -> dict[int, RejectState]:
    """Say by number how each reject stands to the facts of its source and event id.

    Rejects with other content are added to `events`, beside the fact that was taken in; `mended` has the numbers of
    those that were sent again and taken in.
    """
    facts: dict[tuple[str, str], list[MemberFact]] = {}
    for hit in hits:
        fact = hit.journalled.fact
        if isinstance(fact, MemberFact):
            facts.setdefault((fact.source, fact.event_id), []).append(fact)
    explained = {(one.source, one.event_id): one for one in events}
    states = {}
    for reject in rejects:
        key = (reject.source, reject.event_id)
        states[reject.number] = _state(reject, facts.get(key, []), mended)
        later = admit_json(event_of(reject))
        if states[reject.number] == RejectState.OTHER and not isinstance(later, Refusal) and key in explained:
            event = explained[key]
            came_from = f"{reject.input_name}, record {reject.record:,}"
            fields = side_by_side(facts[key][0], later)
            member_id = getattr(later, "member_id", "") or ""
            seen = LaterContent(f"reject {reject.number}, {reject.reason}", came_from, member_id, fields)
            event.later_contents = [*event.later_contents, seen]
    return states


def _state(reject: Reject, facts: Sequence[MemberFact], mended: Collection[int]) -> RejectState:
    if not facts:
        return RejectState.NOT_TAKEN_IN
    if reject.number in mended:
        return RejectState.MENDED
    event = admit_json(event_of(reject))
    if isinstance(event, Refusal):
        return RejectState.NOT_READABLE
    same = any(content_hash(event) == content_hash(fact) for fact in facts)
    return RejectState.SAME if same else RejectState.OTHER
