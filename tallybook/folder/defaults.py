"""What a new programme gets where nobody says otherwise: partitions, horizon, referral window."""

from typing import Final

DEFAULT_PARTITIONS: Final = 8
DEFAULT_STREAM_PARTITIONS: Final = 24
DEFAULT_HORIZON_DAYS: Final = 90
REFERRAL_WINDOW_DAYS: Final = 30
