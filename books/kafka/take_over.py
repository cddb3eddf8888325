"""Says how long it takes at most until another process goes on with what a dead process held.

Two clocks run at once: the group's coordinator gives a dead process's partitions to others once its session has ended,
and what it left in an open transaction is undone once that has timed out. A process that ends in order waits for
neither, and a producer that takes over an id ends the open transaction of the one before at once.
"""

from typing import Final

import msgspec

from books.kafka.client_errors import REQUEST_SECONDS
from books.snapshots.due import LOOK_EVERY_SECONDS, POSTINGS_WHILE_SCORING

# How long a process of a group may be silent before its partitions are given to others.
SESSION_SECONDS: Final = 10.0
HEARTBEATS_PER_SESSION: Final = 5
# How long a transaction may stay open: meanwhile nobody reads what comes after its first record.
TRANSACTION_SECONDS: Final = 10.0
# How long a reader waits until no transaction is open in the journal: the time above, the broker's interval between
# two looks at such transactions, and room to spare.
SETTLE_SECONDS: Final = 60.0


class Timing(msgspec.Struct, frozen=True):
    """How long a process on Kafka waits, and how often it looks; whoever opens a stream may choose other values."""

    session_seconds: float = SESSION_SECONDS
    transaction_seconds: float = TRANSACTION_SECONDS
    request_seconds: float = REQUEST_SECONDS
    snapshot_postings: int = POSTINGS_WHILE_SCORING
    snapshot_look_seconds: float = LOOK_EVERY_SECONDS

    @property
    def heartbeat_seconds(self) -> float:
        """How often a process says that it is there."""
        return self.session_seconds / HEARTBEATS_PER_SESSION


USUAL: Final = Timing()
