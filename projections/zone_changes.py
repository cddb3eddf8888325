"""Works out when the clocks of a published time zone change, so that the tables show the dates that the books mean.

ClickHouse has zone tables of its own, which disagree with the books' in some zones: no view asks them.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from io import BytesIO
from itertools import pairwise
from struct import Struct, unpack_from
from typing import Final
from zoneinfo import ZoneInfo

from books.encoded_blocks import EncodedBlock
from projections.store import Columns, Pieces
from schemas.avro.codecs import decode_pages
from schemas.facts import RulesetPublished

MAX_ZONES_KEPT: Final = 16
_MAGIC: Final = b"TZif"
# Version, six counts and all else that a header of TZif has (RFC 9636); the second block has instants of 8 bytes.
_HEADER: Final = Struct(">4sc15x6I")
# The dates that the tables can hold end with 2299. What a zone's data does not list follows a rule that changes the
# clocks twice a year: far enough apart to be met by looking every so many seconds.
_END: Final = int(datetime(2299, 12, 31, tzinfo=UTC).timestamp())
_EVERY: Final = 28 * 86_400


def zone_rows(pieces: Pieces) -> Columns | None:
    """The rows of the table `zone_changes` that blocks of the journal make; None where nothing is published in them."""
    found = [row for partition, block in pieces if _MAGIC in block.data for row in _rows(partition, block)]
    names = ("effective_from", "partition", "page", "line", "timezone", "changed_at", "shift_ms")
    return dict(zip(names, map(list, zip(*found, strict=True)), strict=True)) if found else None


def _rows(partition: int, block: EncodedBlock) -> Iterator[tuple[object, ...]]:
    for page in decode_pages(block.data, block.records):
        for number, line in enumerate(page.lines):
            if isinstance(line.fact, RulesetPublished):
                changed_at, shift_ms = changes_of(line.fact.tzif)
                yield line.fact.effective_from, partition, page.page, number, line.fact.timezone, changed_at, shift_ms


@lru_cache(MAX_ZONES_KEPT)
def changes_of(tzif: bytes) -> tuple[list[int], list[int]]:
    """From which instants (UTC ms) on a zone's clocks are how far (ms) ahead of UTC, the first one being 1970."""
    zone = ZoneInfo.from_file(BytesIO(tzif))
    listed = [at for at in _listed(tzif) if 0 < at < _END]
    by_rule = range(listed[-1] if listed else 0, _END, _EVERY) if _has_rule(tzif) else ()
    looked_at = sorted({0, *listed, *(at - 1 for at in listed), *by_rule})
    before = _shift(zone, 0)
    changed_at, shift_ms = [0], [before * 1000]
    for early, late in pairwise(looked_at):
        shift = _shift(zone, late)
        if shift != before:
            changed_at.append(_change(zone, early, late, before) * 1000)
            shift_ms.append(shift * 1000)
            before = shift
    return changed_at, shift_ms


def _listed(tzif: bytes) -> Sequence[int]:
    """The instants (seconds since 1970) at which the data itself says that the clocks change."""
    _, _, for_utc, for_standard, leaps, times, types, characters = _HEADER.unpack_from(tzif, 0)
    second = _HEADER.size + times * 5 + types * 6 + characters + leaps * 8 + for_standard + for_utc
    times = _HEADER.unpack_from(tzif, second)[5]
    instants: Sequence[int] = unpack_from(f">{times}q", tzif, second + _HEADER.size)
    return instants


def _has_rule(tzif: bytes) -> bool:
    """Whether the clocks go on changing after what is listed: such a rule has dates behind commas."""
    return b"," in tzif.rstrip(b"\n").rpartition(b"\n")[2]


def _change(zone: ZoneInfo, early: int, late: int, shift: int) -> int:
    """The first second after `early` in which the clocks are no longer `shift` seconds ahead."""
    while late - early > 1:
        middle = (early + late) // 2
        if _shift(zone, middle) == shift:
            early = middle
        else:
            late = middle
    return late


def _shift(zone: ZoneInfo, at: int) -> int:
    """How many seconds a zone is ahead of UTC at an instant (seconds since 1970)."""
    shift = datetime.fromtimestamp(at, zone).utcoffset()
    if shift is None:
        raise AssertionError("a moment in a zone has an offset")
    return shift // timedelta(seconds=1)
