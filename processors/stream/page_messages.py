"""Turns facts into messages of the stream's journal: pages by partition, the facts of each in the order given."""

from collections.abc import Iterator

from processors.journal_pages import OpenPage
from schemas.avro.codecs import encode_record
from schemas.avro.page_parts import line_part, page_of_parts
from schemas.avro.single_object import frame
from schemas.facts import PublishedFact, RefereePurchased, members_of
from schemas.partitions import partition_of_line


class PageMessages:
    """The pages that one transaction brings into the journal of `partitions` parts."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._open: dict[int, OpenPage[bytes]] = {}
        self._full: list[tuple[int, OpenPage[bytes]]] = []

    def add(
        self,
        fact: PublishedFact | RefereePurchased,
        received_at: int,
        *,
        input_name: str = "",
        record: int = 0,
        body: bytes | None = None,
    ) -> None:
        """Add a fact to the pages of its members (or of its order, for a guest); `received_at` in UTC ms.

        It came as `record` (from 1) of an input, or was derived by Tallybook itself. `body` is the fact in Avro under
        our present schema, where it came so.
        """
        kind = type(fact).__name__
        if body is None:
            body = encode_record(fact)
        for member_id in members_of(fact):
            partition = partition_of_line(fact, member_id, self._partitions)
            page = self._open.get(partition)
            if page is None:
                page = self._open[partition] = OpenPage()
            number = page.inputs[input_name]
            line = line_part(kind, body, received_at, member_id, input_number=number, record=record)
            if page.add(line, len(line)):
                self._full.append((partition, self._open.pop(partition)))

    def messages(self) -> Iterator[tuple[int, bytes]]:
        """Each page as it is sent, with its partition; those of one partition in order."""
        for partition, page in (*self._full, *self._open.items()):
            yield partition, frame("JournalPage", page_of_parts(page.lines, page.inputs))
