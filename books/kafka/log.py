"""Reads the books on Kafka: committed records alone, up to the ends that were last looked at.

A position is the offset from which to read on. The ends of the ledger are looked at before those of the journal, so
that the journal is never behind what the ledger speaks of.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Final

import msgspec

from books.encoded_blocks import EncodedBlock
from books.errors import BooksDamaged, BooksForeign, NoSuchPosition, UnknownEdition
from books.kafka.cluster import Cluster
from books.kafka.errors import KafkaUnreachable, TopicsMissing
from books.kafka.messages import (
    batch_block,
    batch_of,
    edition_of,
    opening_of,
    page_block,
    page_of,
    reject_block,
    reject_of,
)
from books.kafka.records import Place, Record
from books.kafka.take_over import SETTLE_SECONDS
from books.log import RecordedDigests
from books.opening import readable
from schemas.facts import JournalOpened
from schemas.pages import JournalPage, Reject
from schemas.posting import EditionOpened, Posting, PostingBatch
from schemas.topics import Topics

POLL_RECORDS: Final = 500
POLL_SECONDS: Final = 1.0
# If nothing has come for so long where something is due, the brokers count as unreachable.
PATIENCE_SECONDS: Final = 30
# Steps back in search of the last record, doubled each time: over the markers of ended transactions.
FIRST_STEP_BACK: Final = 8
SETTLE_PAUSE_SECONDS: Final = 0.2
SETTLE_TRIES: Final = int(SETTLE_SECONDS / SETTLE_PAUSE_SECONDS)


class KafkaLogReader:
    """The committed books of a deployment on Kafka; see LogReader. Not for several threads."""

    def __init__(self, cluster: Cluster, topics: Topics, edition: str) -> None:
        """Look at the books.

        Raises:
            TopicsMissing: there are none yet.
            BooksForeign: the topics are those of something else.
            KafkaUnreachable: the brokers do not answer.
        """
        self.cluster = cluster
        self.topics = topics
        self._edition = edition
        self._journal = topics.journal
        self._ledger = topics.ledger(edition)
        wanted = [self._journal, self._ledger, topics.rejects]
        found = cluster.partitions(wanted)
        if missing := [name for name in wanted if name not in found]:
            raise TopicsMissing(missing)
        if found[self._journal] != found[self._ledger]:
            what = (
                f"{self._ledger} has {found[self._ledger]} partitions, and {self._journal} has {found[self._journal]}"
            )
            to_do = (
                "They must have the same number. If one is new and empty, delete it and run `tallybook topics create`."
            )
            raise BooksForeign(cluster.bootstrap, what, to_do)
        self._partitions = found[self._journal]
        self._ends: dict[Place, int] = {}
        self.refresh()
        self._opened = self._opening()

    def opened(self) -> JournalOpened:
        return self._opened

    @property
    def partitions(self) -> int:
        return self._partitions

    def refresh(self) -> None:
        """Look for what was committed since. Raises KafkaUnreachable."""
        every = range(self._partitions)
        ledger = self.cluster.ends(Place(self._ledger, partition) for partition in every)
        rest = [Place(self._journal, partition) for partition in every] + [Place(self.topics.rejects, 0)]
        self._ends = ledger | self.cluster.ends(rest)

    def refresh_settled(self) -> None:
        """As `refresh`, and wait until the journal shows all that this ledger speaks of.

        What a posting owes stands in other partitions, where another's open transaction may still hide it.

        Raises:
            KafkaUnreachable: a transaction stays open for longer than transactions may.
        """
        self.refresh()
        places = [Place(self._journal, partition) for partition in range(self._partitions)]
        written = self.cluster.ends(places, committed=False)
        for _ in range(SETTLE_TRIES):
            self._ends |= self.cluster.ends(places)
            if all(self._ends[place] >= end for place, end in written.items()):
                return
            time.sleep(SETTLE_PAUSE_SECONDS)
        raise KafkaUnreachable(
            self.cluster.bootstrap, f"a transaction in the journal has been open for {SETTLE_SECONDS:.0f} s"
        )

    def editions(self) -> tuple[str, ...]:
        """The edition that is read here."""
        return (self._edition,)

    def current_edition(self) -> str:
        """The edition that is read here."""
        return self._edition

    def edition(self, name: str) -> EditionOpened:
        self._must_have(name)
        for record in self._records(Place(self._ledger, 0), 0):
            opened = edition_of(record)
            if opened is not None:
                return opened
            break
        raise BooksDamaged(f"{self._ledger}/0", None, "its first record is not the edition's opening")

    def read_journal(self, partition: int, start: int = 0) -> Iterator[tuple[int, JournalPage]]:
        """The pages from a position on, each with the position after it; a page's number is its offset."""
        records = self._records(self._place(self._journal, partition), start)
        return ((record.offset + 1, page_of(record)) for record in records)

    def read_ledger(self, edition: str, partition: int, start: int = 0) -> Iterator[tuple[int, list[Posting]]]:
        batches = self.read_batches(edition, partition, start)
        return ((after, list(batch.postings)) for after, batch in batches if batch.postings)

    def read_batches(self, edition: str, partition: int, start: int = 0) -> Iterator[tuple[int, PostingBatch]]:
        """The batches of the ledger from a position on, those without postings too, each with the position after it."""
        return ((record.offset + 1, batch) for record, batch in self._batches(edition, partition, start))

    def read_rejects(self, start: int = 0) -> Iterator[tuple[int, list[Reject]]]:
        """The rejects from a position on, each with the position after it; numbers are offsets + 1, with gaps."""
        records = self._records(Place(self.topics.rejects, 0), start)
        return ((record.offset + 1, [reject_of(record)]) for record in records)

    def journal_blocks(self, partition: int, start: int = 0) -> Iterator[EncodedBlock]:
        return (page_block(record) for record in self._records(self._place(self._journal, partition), start))

    def ledger_blocks(self, edition: str, partition: int, start: int = 0) -> Iterator[EncodedBlock]:
        batches = self._batches(edition, partition, start)
        return (batch_block(record, batch) for record, batch in batches if batch.postings)

    def reject_blocks(self, start: int = 0) -> Iterator[EncodedBlock]:
        return (reject_block(record) for record in self._records(Place(self.topics.rejects, 0), start))

    def scored_page(self, edition: str, partition: int) -> int | None:
        """See LogReader; it is in the last batch of the ledger."""
        last = self.last_batch(edition, partition)
        return -1 if last is None else last[1].scored_page

    def recorded_digests(self, edition: str, partition: int, commit_at: int | None = None) -> RecordedDigests | None:
        """The digests in the batch of the ledger at an offset (None: in the last batch); None where there are none."""
        if commit_at is None:
            last = self.last_batch(edition, partition)
            batch = None if last is None else last[1]
        else:
            batch = self.batch_at(edition, partition, commit_at)
        return RecordedDigests(batch.journal_digest, batch.ledger_digest) if batch and batch.ledger_digest else None

    def input_names(self) -> dict[str, str]:
        """Empty: pages name the inputs of a stream as people do, by topic and partition."""
        return {}

    def last_page(self, partition: int) -> JournalPage | None:
        record = self.last_record(self._place(self._journal, partition))
        return None if record is None else page_of(record)

    def last_posting(self, edition: str, partition: int) -> Posting | None:
        """The last posting of a partition, found by steps back over the batches that have none."""
        self._must_have(edition)
        record = self.last_record(self._place(self._ledger, partition), wanted=_has_postings)
        batch = None if record is None else batch_of(record)
        return None if batch is None else batch.postings[-1]

    def last_batch(self, edition: str, partition: int) -> tuple[int, PostingBatch] | None:
        """The last batch of a partition, with the offset at which it stands; None before the first."""
        self._must_have(edition)
        record = self.last_record(self._place(self._ledger, partition))
        batch = None if record is None else batch_of(record)
        return None if record is None or batch is None else (record.offset, batch)

    def batch_at(self, edition: str, partition: int, offset: int) -> PostingBatch | None:
        """The batch at an offset of the ledger; None where none stands just there."""
        self._must_have(edition)
        place = self._place(self._ledger, partition)
        if not 0 <= offset < self._ends[place]:
            return None
        record = next(self._records(place, offset), None)
        return None if record is None or record.offset != offset else batch_of(record)

    def end(self, place: Place) -> int:
        """The offset after the last committed record, as of the last `refresh`."""
        return self._ends[place]

    def last_record(
        self, place: Place, before: int | None = None, wanted: Callable[[Record], bool] = lambda _: True
    ) -> Record | None:
        """The last committed record of a place (before an offset) that is wanted, found by steps back from the end."""
        end = self._ends[place] if before is None else before
        step = FIRST_STEP_BACK
        while end > 0:
            start = max(0, end - step)
            last = None
            for record in self._records(place, start, end):
                if wanted(record):
                    last = record
            if last is not None:
                return last
            end = start
            step *= 2
        return None

    def close(self) -> None:
        """Nothing is held between two reads."""

    def _batches(self, edition: str, partition: int, start: int) -> Iterator[tuple[Record, PostingBatch]]:
        """The batches of the ledger, each with its record; wrong arguments are refused at once, not on reading."""
        self._must_have(edition)
        records = self._records(self._place(self._ledger, partition), start)
        return ((record, batch) for record in records if (batch := batch_of(record)) is not None)

    def _records(self, place: Place, start: int, end: int | None = None) -> Iterator[Record]:
        """The committed records of a place from `start` to before `end`. Raises NoSuchPosition and KafkaUnreachable."""
        known = self._ends[place]
        if start < 0 or start > known:
            raise NoSuchPosition(f"{place.topic}/{place.partition}", start)
        return self._read(place, start, known if end is None else end)

    def _read(self, place: Place, start: int, end: int) -> Iterator[Record]:
        if start >= end:
            return
        with closing(self.cluster.reader()) as reader:
            reader.set_on({place: start})
            silent = 0.0
            while silent < PATIENCE_SECONDS:
                polled = reader.poll(POLL_RECORDS, POLL_SECONDS)
                for record in polled.records:
                    if record.offset >= end:
                        return
                    yield record
                    if record.offset == end - 1:
                        return
                # After the last record there may be only markers of transactions, which no reader is given.
                if polled.at_end.get(place, -1) >= end:
                    return
                silent = 0.0 if polled.records else silent + POLL_SECONDS
            raise KafkaUnreachable(self.cluster.bootstrap, f"nothing came from {place.topic}/{place.partition}")

    def _opening(self) -> JournalOpened:
        record = next(self._records(Place(self._journal, 0), 0), None)
        if record is None:
            raise TopicsMissing([f"{self._journal} with an opening in it"])
        opened = opening_of(record)
        if opened is None or opened.deployment != self.topics.deployment or opened.partitions != self._partitions:
            what = f"the first record of {self._journal} is not the opening of deployment {self.topics.deployment!r}"
            what += f" with {self._partitions} partitions"
            raise BooksForeign(
                self.cluster.bootstrap, what, "A journal keeps its partitions for ever. Use another name."
            )
        return readable(msgspec.structs.replace(opened, partition=0), self.cluster.bootstrap)

    def _place(self, topic: str, partition: int) -> Place:
        if not 0 <= partition < self._partitions:
            raise ValueError(f"partition {partition} of {self._partitions}")
        return Place(topic, partition)

    def _must_have(self, edition: str) -> None:
        if edition != self._edition:
            raise UnknownEdition(edition, self.editions())


def _has_postings(record: Record) -> bool:
    batch = batch_of(record)
    return batch is not None and bool(batch.postings)
