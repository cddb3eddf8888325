"""Keeps how far time has come in a stream's books beside an offset, so that nobody has to search the journal for it.

It is committed in the transaction of the tick or publication that it speaks of, for a group that nobody joins. It is a
cache: where it is gone, the journal of partition 0 says the same, more slowly.
"""

from typing import Final

import msgspec

from books.errors import BooksDamaged
from books.kafka.cluster import Cluster
from books.kafka.log import KafkaLogReader
from books.kafka.records import GroupOffset, Place
from schemas.facts import ClockTicked, RulesetPublished
from schemas.posting import FIRST_EDITION
from schemas.topics import Topics

GROUP: Final = "ticks"


class TickState(msgspec.Struct, frozen=True):
    """The last tick (UTC ms; 0: none), and whether any ruleset is published, without which no time passes."""

    last_tick: int = 0
    is_published: bool = False


def read_tick_state(cluster: Cluster, topics: Topics) -> TickState | None:
    """What was kept last; None where nothing is kept. Raises KafkaUnreachable."""
    place = Place(topics.journal, 0)
    kept = cluster.group_offsets(topics.group(GROUP), [place]).get(place)
    if kept is None or not kept.metadata:
        return None
    try:
        return msgspec.json.decode(kept.metadata, type=TickState)
    except msgspec.MsgspecError as error:
        group = topics.group(GROUP)
        raise BooksDamaged(
            f"group {group}", None, "the text beside its offset is not one of Tallybook's", "Delete that group."
        ) from error


def last_tick_state(cluster: Cluster, topics: Topics) -> TickState:
    """How far time has come: as kept, else as the journal says. Raises KafkaUnreachable, BooksDamaged."""
    kept = read_tick_state(cluster, topics)
    if kept is not None:
        return kept
    log = KafkaLogReader(cluster, topics, FIRST_EDITION)  # any edition will do: only the journal is read
    log.refresh_settled()
    return search_tick_state(log)


def search_tick_state(log: KafkaLogReader) -> TickState:
    """What the journal of partition 0 says, read from its beginning."""
    state = TickState()
    for _, page in log.read_journal(0):
        for line in page.lines:
            if isinstance(line.fact, ClockTicked):
                state = TickState(max(state.last_tick, line.fact.at), state.is_published)
            elif isinstance(line.fact, RulesetPublished):
                state = TickState(state.last_tick, is_published=True)
    return state


def kept_with(state: TickState, topics: Topics) -> dict[Place, GroupOffset]:
    """What the transaction that makes `state` true has to commit for the group."""
    return {Place(topics.journal, 0): GroupOffset(0, msgspec.json.encode(state).decode())}
