"""What must have happened in a run of thousands of seeds, lest it prove less than it seems to."""

from typing import Final

from schemas.posting import Reason

_EFFECTS: Final = (
    "append",
    "create",
    "flush",
    "fsync",
    "make_folder",
    "remove",
    "remove_folder",
    "putting away",
    "rename",
    "sync_folder",
    "truncate",
    "write_note",
)
_FAILING: Final = ("append", "flush", "fsync", "sync_folder", "truncate", "write_note")
# Many claims or lots of one member, and what the door refuses already: tests.property.histories has them.
_ELSEWHERE: Final = {Reason.TOO_MANY_CLAIMS, Reason.TOO_MANY_LOTS, Reason.TOO_OLD}

MUST_HAPPEN: Final = (
    *(f"crash before {effect}" for effect in _EFFECTS),
    *(f"effect failed: {effect}" for effect in _FAILING),
    *(f"reason {reason}" for reason in Reason if reason not in _ELSEWHERE),
    "backups restored",
    "commits that nobody was told of",
    "damaged books refused",
    "facts owed",
    "inserts given up",
    "inserts made twice",
    "kills",
    "late inserts",
    "late markers",
    "postings that are late",
    "power cuts",
    "projections",
    "projections by one who is behind",
    "projector died after insert",
    "projector died after marker",
    "projector died before insert",
    "projector died before marker",
    "projectors refused who are behind the tables",
    "redeliveries",
    "rejects",
    "restarts after which something was cut",
    "restarts from a snapshot",
    "restarts from the first page",
    "second writers refused",
    "snapshots deleted",
    "snapshots exchanged",
    "snapshots flipped",
    "snapshots outdated",
    "snapshots torn",
    "zombies stopped",
)
