"""Says when a snapshot is kept: often enough that a restart reads little again, seldom enough that it costs little."""

from typing import Final

# When a command ends that decided so many postings or more: fewer are read again sooner than all accounts are written.
POSTINGS_AT_THE_END: Final = 5_000
# In `run --follow`, when so many were decided since the last snapshot, and nothing waits.
POSTINGS_WHILE_FOLLOWING: Final = 1_000_000
# In a scoring process on Kafka, when so many were decided in one partition since its last snapshot. The process looks
# for such a partition every LOOK_EVERY_SECONDS.
POSTINGS_WHILE_SCORING: Final = 20_000
LOOK_EVERY_SECONDS: Final = 10.0
