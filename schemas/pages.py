"""How facts are packed into the journal: lines in pages, each line knowing where it came from."""

import msgspec

from schemas.facts import JournalFact
from schemas.instants import LATEST_MS


class JournalLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One fact in one account's order; `member_id` None is a guest or a book fact.

    `input` indexes the page's `inputs`, `record` counts records in that input from 1 (0: made by Tallybook).
    """

    fact: JournalFact
    received_at: int
    member_id: str | None = None
    input: int = 0
    record: int = 0


class JournalPage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A page: up to MAX_PAGE_LINES lines of one partition, written as one record. Pages are numbered from 0."""

    page: int
    lines: tuple[JournalLine, ...]
    inputs: tuple[str, ...] = ("",)


class Folio(msgspec.Struct, frozen=True, order=True):
    """A place in the journal of a partition: page, line, and sub-line (the count of postings of one tick)."""

    page: int
    line: int
    sub: int = 0


MAX_PAGE_LINES = 500


AT_ITS_END = LATEST_MS


class InputConsumed(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far an input has been taken in: up to (occurred_at, record), or with `as_is` (not sorted) up to `record`.

    AT_ITS_END as `occurred_at` says that all of its records were taken in. The last record's instant would not do: a
    record without one takes it from the files beside it, and may get another one when its file comes again alone.
    """

    sha256: str
    occurred_at: int
    record: int
    as_is: bool = False
    name: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether all records were taken in."""
        return self.occurred_at == AT_ITS_END

    def covers(self, occurred_at: int, record: int) -> bool:
        """Whether a record, sorted by an instant (UTC ms), was taken in."""
        if self.has_ended:
            return True
        return record <= self.record if self.as_is else (occurred_at, record) <= (self.occurred_at, self.record)


class RefusedAgain(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record that was refused for the same reason as one of another input: the reject of that one stands for both."""

    sha256: str
    record: int
    reject: int


class BookLength(msgspec.Struct, frozen=True, omit_defaults=True):
    """The committed length in bytes of one book file, relative to the folder of the books.

    `tail_crc32` is the CRC-32 of the last bytes within that length, by which a file of another run is found out.
    """

    file: str
    bytes: int
    tail_crc32: int = 0


class RoundCommitted(msgspec.Struct, frozen=True, omit_defaults=True):
    """The commit point of one or more rounds: what every book file held, and how far inputs were consumed.

    `facts`, `postings` and `conflicts` count since the commit before, `rejects` in all. The digests are the running
    chains per partition, as hex, so that a book changed afterwards is found out. `mended` has the numbers of rejects
    that this commit took in, `refused_again` the records of which no reject of their own was kept.
    """

    number: int
    lengths: tuple[BookLength, ...]
    inputs: tuple[InputConsumed, ...] = ()
    last_tick: int = 0
    facts: int = 0
    postings: int = 0
    rejects: int = 0
    journal_digests: tuple[str, ...] = ()
    ledger_digests: tuple[str, ...] = ()
    checksum: int = 0
    conflicts: int = 0
    mended: tuple[int, ...] = ()
    refused_again: tuple[RefusedAgain, ...] = ()


class Reject(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record that the door refused, with its original bytes, so that it can be mended and sent again.

    `number` counts the rejects of a deployment from 1 and is stamped when it is kept. `field` is a path such as
    `lines[0].amount_minor`. `record` counts from 1 in the input; `at_line` is the text line, where there is one.
    """

    reason: str
    message: str
    raw: bytes
    number: int = 0
    field: str = ""
    input: str = ""
    input_name: str = ""
    record: int = 0
    at_line: int = 0
    fact_type: str = ""
    source: str = ""
    event_id: str = ""
    received_at: int = 0
    headers: dict[str, str] = {}
    resubmit_of: int = 0
