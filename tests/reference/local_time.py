"""Local time for the reference ledger: only ever asks what the clock shows at an instant, and searches from there."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from io import BytesIO
from itertools import pairwise
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_DAY = date(1970, 1, 1)
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MILLISECOND = timedelta(milliseconds=1)

# Whatever the offset, the instant of a local time lies within a day and a half of the same digits read as UTC; a
# sample every six hours meets the offset on either side of every clock change in between.
SEARCH_HOURS = range(-36, 37, 6)


def date_of(day: int) -> date:
    """The calendar date of a day number (days since 1970-01-01)."""
    return FIRST_DAY + timedelta(days=day)


def day_of(day: date) -> int:
    """The day number (days since 1970-01-01) of a calendar date."""
    return (day - FIRST_DAY).days


def utc_day(at: int) -> int:
    """The UTC day number of an instant."""
    return at // DAY_MS


class Zone:
    """A time zone as the journal carries it (TZif bytes)."""

    def __init__(self, tzif: bytes) -> None:
        self._zone = ZoneInfo.from_file(BytesIO(tzif))
        self._found: dict[datetime, int] = {}

    def clock(self, at: int) -> datetime:
        """What the local clock shows at an instant (UTC ms), without a zone."""
        return (EPOCH + at * MILLISECOND).astimezone(self._zone).replace(tzinfo=None)

    def day(self, at: int) -> int:
        """The local day number of an instant."""
        return day_of(self.clock(at).date())

    def first_instant(self, local: datetime) -> int:
        """The first instant at which the clock shows `local`; if it never does, the next instant that exists."""
        if local not in self._found:
            self._found[local] = self._search(local)
        return self._found[local]

    def midnight(self, day: date) -> int:
        """The first instant of a local day."""
        return self.first_instant(datetime(day.year, day.month, day.day))  # noqa: DTZ001 a wall clock has no zone

    def _search(self, local: datetime) -> int:
        as_utc = (local.replace(tzinfo=UTC) - EPOCH) // MILLISECOND
        samples = [as_utc + hours * HOUR_MS for hours in SEARCH_HOURS]
        ahead = {(self.clock(at).replace(tzinfo=UTC) - EPOCH) // MILLISECOND - at for at in samples}
        shown = [as_utc - offset for offset in ahead if self.clock(as_utc - offset) == local]
        if shown:
            return min(shown)
        before, after = samples[0], samples[-1]
        while after - before > 1:
            middle = (before + after) // 2
            if self.clock(middle) < local:
                before = middle
            else:
                after = middle
        return after


@lru_cache(maxsize=64)
def zone_from(tzif: bytes) -> Zone:
    """The zone of these bytes, read once."""
    return Zone(tzif)


@lru_cache(maxsize=64)
def clock_changes(tzif: bytes, since: int, until: int) -> tuple[int, ...]:
    """The instants between two instants (whole hours) at which the offset of a zone changes; to the half hour."""
    zone = zone_from(tzif)

    def changing(begin: int, end: int, step: int) -> list[int]:
        shown = [(at, zone.clock(at)) for at in range(begin, end + 1, step)]
        return [at for (at, early), (_, late) in pairwise(shown) if late - early != step * MILLISECOND]

    days = changing(since, until, DAY_MS)
    return tuple(at + HOUR_MS // 2 for day in days for at in changing(day, day + DAY_MS, HOUR_MS // 2))
