"""Turns facts of the stream into pages of the journal: by member, in the order in which they came, and bounded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from books.kafka.records import Record
from processors.embedded.rounds import guest_key
from schemas.avro.codecs import encode_fact
from schemas.avro.page_parts import line_part, page_of_parts
from schemas.avro.single_object import frame
from schemas.facts import PublishedFact, members_of
from schemas.pages import MAX_PAGE_LINES
from schemas.partitions import partition_of

FULL_PAGE_BYTES: Final = 1_000_000  # so that large events make pages of few lines


class _Page:
    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.inputs: dict[str, int] = {"": 0}  # index 0: what Tallybook itself wrote
        self.bytes = 0


class Pages:
    """The pages that one transaction will bring into the journal of `partitions` parts."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._open: dict[int, _Page] = {}
        self._full: list[tuple[int, _Page]] = []

    def add(self, fact: PublishedFact, record: Record, received_at: int, body: bytes | None = None) -> None:
        """Lay a fact into the pages of its members (or of its order, for a guest); instants are UTC ms.

        `body` is the fact in Avro under our present schema, where it came so.
        """
        kind = type(fact).__name__
        if body is None:
            body = encode_fact(fact)
        for member_id in members_of(fact):
            key = member_id if member_id is not None else guest_key(fact)
            partition = partition_of(key, self._partitions)
            page = self._open.get(partition)
            if page is None:
                page = self._open[partition] = _Page()
            inputs = page.inputs
            name = f"{record.topic}/{record.partition}"
            index = inputs[name] if name in inputs else inputs.setdefault(name, len(inputs))
            line = line_part(kind, body, received_at, member_id, input_number=index, record=record.offset + 1)
            page.lines.append(line)
            page.bytes += len(line)
            if len(page.lines) >= MAX_PAGE_LINES or page.bytes >= FULL_PAGE_BYTES:
                self._full.append((partition, self._open.pop(partition)))

    def messages(self) -> Iterator[tuple[int, bytes]]:
        """Each page as it is sent, with its partition; those of one partition in order."""
        for partition, page in (*self._full, *self._open.items()):
            yield partition, frame("JournalPage", page_of_parts(page.lines, page.inputs))
