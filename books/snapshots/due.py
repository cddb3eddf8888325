"""Says when a snapshot is kept: often enough that a restart reads little again, seldom enough that it costs little."""

from typing import Final

# A command that decided this many postings keeps one when it ends: reading fewer again is quicker than writing one.
POSTINGS_AT_THE_END: Final = 5_000
# `run --follow` keeps one when it has decided this many since the last, and nothing waits.
POSTINGS_WHILE_FOLLOWING: Final = 1_000_000
# A scoring process on Kafka keeps one of a partition in which it has decided this many since the last. It looks for
# such a partition every LOOK_EVERY_SECONDS.
POSTINGS_WHILE_SCORING: Final = 20_000
LOOK_EVERY_SECONDS: Final = 10.0
