"""The bounds that the door enforces, chosen so that no accepted fact can overflow an int64 in the decider."""

from typing import Final

MAX_ID_LENGTH: Final = 200
MAX_ID_BYTES: Final = 200  # of UTF-8: what is written for an id is bounded whatever its script
MAX_SOURCE_LENGTH: Final = 64
MAX_ATTRIBUTES: Final = 32
MAX_ATTRIBUTE_LENGTH: Final = 500
MAX_LINES: Final = 1_000
MAX_AMOUNT_MINOR: Final = 10**13
MAX_QUANTITY_MILLI: Final = 10**12
MAX_TEXT_LENGTH: Final = 10**7
MAX_MEDIA: Final = 1_000
MAX_EVENT_BYTES: Final = 1_000_000
EARLIEST_AT: Final = 0  # 1970-01-01T00:00:00Z
# Smaller numbers are not taken for milliseconds, as they look like seconds of 1970 to 2100.
UNLIKE_SECONDS: Final = 4_102_444_800
MAX_FUTURE_MS: Final = 5 * 60 * 1000
DAY_MS: Final = 86_400_000

# Gross points one account may ever earn: the built-in limit that keeps every sum below 2**63.
MAX_EARNED_POINTS: Final = 4 * 10**18

# Lots one account may hold at a time: the built-in limit that keeps every account small enough to be handled whole.
MAX_LOTS: Final = 10_000
