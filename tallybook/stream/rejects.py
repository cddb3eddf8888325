"""Finds the rejects of a stream, the newest first, and sends them again to the topic that they came from."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from books.errors import NoSuchPosition
from books.kafka.log import KafkaLogReader
from books.kafka.producer import Publisher
from books.kafka.records import Place, header_bytes
from processors.stream.rejects import (
    COORDINATES,
    KEY_BYTES,
    RESUBMIT_OF,
    SAME_REFUSAL,
    TRUNCATED,
    UNREADABLE_NOTE,
    refusal_mark,
)
from schemas.pages import Reject
from tallybook.folder.folder import FolderRefused
from tallybook.folder.rejects import UnknownReject, reject_row, warn_of_another
from tallybook.screen import note
from tallybook.stream.open import Stream

FIRST_WINDOW: Final = 500
LARGEST_WINDOW: Final = 16_000
# How many places of the topic a listing looks at, back from its end.
MAX_LOOKED_BACK: Final = 200_000
# How many rejects after one are searched for an attempt to mend it that was refused again.
MAX_LOOKED_AHEAD: Final = 10_000
MAX_SENT: Final = 100_000
FLUSH_EVERY: Final = 1_000
MAX_SHOWN: Final = 10
# Headers that we add to a message of which only a part is kept.
_OF_TRUNCATED: Final = frozenset({TRUNCATED, "bytes", "sha256"})


class FoundRejects(msgspec.Struct):
    """Holds the newest rejects as rows, oldest first, and counts of all that the search has looked at.

    `count` and `by_reason` are of all that were looked at: those from number `looked_from` on (1: all there are).
    """

    rows: list[dict[str, Any]]
    by_reason: dict[str, int]
    count: int
    looked_from: int


class Sent(msgspec.Struct):
    """Counts what was sent again, with the number to go on from (0: nothing is left) and what cannot be sent."""

    sent: int = 0
    next_number: int = 0
    unsendable: list[str] = []


def newest_rejects(log: KafkaLogReader, limit: int, reason: str = "") -> FoundRejects:
    """Find the newest `limit` rejects (of a reason), reading no further back than needed, and than MAX_LOOKED_BACK.

    Whether one was sent again is known only where that was refused again: else `sent_again` is None.

    Raises:
        UnknownReject: there is none of this reason.
        KafkaUnreachable, BooksDamaged: the topic cannot be read.
    """
    end = start = _end(log)
    rows: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    mended: set[int] = set()
    window = FIRST_WINDOW
    while start > 0 and len(rows) < limit and end - start < MAX_LOOKED_BACK:
        before, start = start, max(0, start - window)
        window = min(2 * window, LARGEST_WINDOW)
        found = []
        for reject in _rejects_from(log, start + 1):
            if reject.number > before:
                break
            counts[reject.reason] += 1
            mended.add(reject.resubmit_of)
            if reason in ("", reject.reason):
                found.append(reject_row(reject, frozenset()))
        rows[:0] = found
    count = counts[reason] if reason else counts.total()
    if reason and counts and not count:
        known = ", ".join(sorted(counts))
        where = "here" if start == 0 else f"from number {start + 1} on, which were looked at,"
        raise UnknownReject(f"there is no reject with reason {reason!r}; the reasons {where} are: {known}")
    for row in rows[-limit:]:
        row["sent_again"] = True if row["number"] in mended else None
    return FoundRejects(rows[-limit:], dict(counts.most_common()), count, start + 1)


def reject_at(log: KafkaLogReader, number: int) -> Reject:
    """Find the reject of a number.

    Raises:
        UnknownReject: there is none.
        KafkaUnreachable, BooksDamaged: the topic cannot be read.
    """
    try:
        found = next(_rejects_from(log, number), None)
    except NoSuchPosition:
        found = None
    if found is not None and found.number == number:
        return found
    if found is None:
        there = "the last one has a smaller number, or there are none"
    else:
        there = f"the next one is {found.number}, for their numbers have gaps"
    raise UnknownReject(f"there is no reject {number}; {there}: see `tallybook rejects list`")


def was_sent_again(log: KafkaLogReader, number: int) -> bool | None:
    """True where an attempt to mend a reject was refused again, among the MAX_LOOKED_AHEAD behind it; else unknown."""
    for at, later in enumerate(_rejects_from(log, number + 1)):
        if later.resubmit_of == number:
            return True
        if at == MAX_LOOKED_AHEAD:
            break
    return None


def resubmit_one(stream: Stream, number: int, mended: bytes | None) -> str:
    """Send a reject again to the topic that it came from, as `mended` or as it was; gives that topic and partition.

    Raises:
        UnknownReject: there is no such reject.
        FolderRefused: there is nothing to send, or nowhere to send it.
        KafkaUnreachable: whether it arrived is not known; to send it again does no harm.
    """
    reject = reject_at(stream.log(), number)
    if mended is not None:
        warn_of_another(reject, mended)
    elif reject.headers.get(f"{COORDINATES}headers"):
        note(f"its headers were {_headers_kept(reject)}: it is sent with those that were kept")
    publisher = stream.cluster.publisher()
    place = _send(stream, publisher, stream.cluster.partitions(stream.topics.facts), reject, mended)
    publisher.flush()
    return f"{place.topic}/{place.partition}"


def resubmit_all(stream: Stream, reason: str, start: int) -> Sent:
    """Send again, as they were, all rejects of a reason from number `start` on that no later reject mends.

    An event that was taken in since has no second effect. At most MAX_SENT are sent.

    Raises:
        UnknownReject: there are none.
        KafkaUnreachable: some have arrived; to send them again does no harm.
    """
    log = stream.log()
    chosen: list[int] = []
    mended: set[int] = set()
    for reject in _rejects_from(log, start) if start <= _end(log) else ():
        mended.add(reject.resubmit_of)
        if reject.reason == reason and len(chosen) <= MAX_SENT:
            chosen.append(reject.number)
    if not chosen:
        raise UnknownReject(f"there is no reject with reason {reason!r} from number {start} on")
    done = Sent(next_number=chosen.pop() if len(chosen) > MAX_SENT else 0)
    wanted = set(chosen) - mended
    publisher, partitions = stream.cluster.publisher(), stream.cluster.partitions(stream.topics.facts)
    for reject in _rejects_from(log, chosen[0] if chosen else start):
        if reject.number > chosen[-1]:
            break
        if reject.number not in wanted:
            continue
        try:
            _send(stream, publisher, partitions, reject, None)
        except FolderRefused as refused:
            done.unsendable.append(str(refused))
            continue
        done.sent += 1
        if done.sent % FLUSH_EVERY == 0:
            publisher.flush()
    publisher.flush()
    return done


def _send(
    stream: Stream, publisher: Publisher, partitions: Mapping[str, int], reject: Reject, mended: bytes | None
) -> Place:
    """Send to where it came from, with the publisher's own headers. Raises FolderRefused where that cannot be."""
    topic = reject.headers.get(f"{COORDINATES}topic", reject.input_name)
    if topic not in partitions:
        known = ", ".join(stream.topics.facts)
        raise FolderRefused(f"reject {reject.number} is of {topic!r}, which is none of the topics of facts: {known}")
    value = _original(reject) if mended is None else mended
    if not value.strip():
        raise FolderRefused(f"there is nothing to send for reject {reject.number}: give the mended event in a file")
    said = reject.headers.get(f"{COORDINATES}partition", "")
    partition = int(said) if said.isdecimal() and int(said) < partitions[topic] else 0
    key = reject.headers.get(f"{COORDINATES}key")
    publisher.send(
        topic,
        value,
        key=None if key is None or KEY_BYTES in reject.headers else header_bytes(key),
        partition=partition,
        headers={name: header_bytes(text) for name, text in _headers(reject).items()},
    )
    return Place(topic, partition)


def _original(reject: Reject) -> bytes:
    if _is_truncated(reject):
        where = "topic {topic}, partition {partition}, offset {offset}".format(
            **{name: reject.headers.get(f"{COORDINATES}{name}", "?") for name in ("topic", "partition", "offset")}
        )
        raise FolderRefused(
            f"of reject {reject.number} only the first {len(reject.raw):,} of {reject.headers.get('bytes', '?')} bytes "
            f"are kept, so that it cannot be sent again. The whole is in {where}, as long as that topic keeps it "
            f"(SHA-256 {reject.headers.get('sha256', '?')}). Give a smaller event in a file, or publish it in parts."
        )
    return reject.raw


def _is_truncated(reject: Reject) -> bool:
    return reject.reason == "too_large" and reject.headers.get(TRUNCATED) == "true"


def _headers(reject: Reject) -> dict[str, str]:
    """Give the publisher's headers, and two that name the reject and what it says."""
    ours = _OF_TRUNCATED if _is_truncated(reject) else frozenset()
    own = {name: text for name, text in reject.headers.items() if not name.startswith(COORDINATES) and name not in ours}
    return own | {RESUBMIT_OF: str(reject.number), SAME_REFUSAL: refusal_mark(reject)}


def _headers_kept(reject: Reject) -> str:
    said = reject.headers[f"{COORDINATES}headers"]
    return "not readable" if said == UNREADABLE_NOTE else f"too many to be kept ({said})"


def _end(log: KafkaLogReader) -> int:
    return log.end(Place(log.topics.rejects, 0))


def _rejects_from(log: KafkaLogReader, number: int) -> Iterator[Reject]:
    for _, rejects in log.read_rejects(number - 1):
        yield from rejects
