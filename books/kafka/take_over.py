"""Says how long it takes at most until another process goes on with what a dead process held.

Two clocks run at once: the group's coordinator gives a dead process's partitions to others once its session has ended,
and what it left in an open transaction is undone once that has timed out. A process that ends in order waits for
neither, and a producer that takes over an id ends the open transaction of the one before at once.
"""

from typing import Final

# For so long a process of a group may be silent before its partitions are given to others.
SESSION_SECONDS: Final = 10.0
HEARTBEATS_PER_SESSION: Final = 5
# For so long a transaction may stay open: meanwhile nobody reads what stands behind its first record.
TRANSACTION_SECONDS: Final = 10.0
# For so long a reader waits until no transaction is open in the journal: the time above, the broker's interval between
# two looks at such transactions, and room to spare.
SETTLE_SECONDS: Final = 60.0
