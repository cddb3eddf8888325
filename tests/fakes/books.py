"""The two books in memory: a LogWriter for tests of all that stands above the books, under the files' own contract."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from books.encoded_blocks import EncodedBlock, encoded
from books.errors import FolderHeld, NoSuchPosition, UnknownEdition
from books.log import RecordedDigests
from schemas.canonical import EMPTY_DIGEST, next_journal_digest
from schemas.facts import JournalOpened
from schemas.pages import MAX_PAGE_LINES, BookLength, JournalLine, JournalPage, Reject, RoundCommitted
from schemas.posting import FIRST_EDITION, EditionOpened, Posting

_T = TypeVar("_T")


class _State:
    """Everything that one commit covers."""

    def __init__(self, opened: JournalOpened) -> None:
        self.opened = opened
        self.rounds: list[RoundCommitted] = []
        self.journal: list[list[JournalPage]] = [[] for _ in range(opened.partitions)]
        self.ledgers: dict[str, list[list[list[Posting]]]] = {}
        self.editions: dict[str, EditionOpened] = {}
        self.rejects: list[list[Reject]] = []

    def copy(self) -> _State:
        """A state that can grow on its own; the records in it never change."""
        twin = _State(self.opened)
        twin.rounds = list(self.rounds)
        twin.journal = [list(pages) for pages in self.journal]
        twin.ledgers = {edition: [list(batches) for batches in ledgers] for edition, ledgers in self.ledgers.items()}
        twin.editions = dict(self.editions)
        twin.rejects = list(self.rejects)
        return twin

    def file(self, name: str) -> list[Any]:
        """The records of one file, by the name that `lengths` gives it."""
        folder, _, partition = name.partition("/")
        if folder == "journal":
            return self.journal[int(partition)]
        return self.ledgers[folder.removeprefix("ledger.")][int(partition)]

    def lengths(self) -> tuple[BookLength, ...]:
        found = [BookLength("rejects", len(self.rejects))]
        found += [BookLength(f"journal/{n}", len(pages)) for n, pages in enumerate(self.journal)]
        for edition, ledgers in self.ledgers.items():
            found += [BookLength(f"ledger.{edition}/{n}", len(batches)) for n, batches in enumerate(ledgers)]
        return tuple(found)


class MemoryBooks:
    """What takes the place of a folder: opened for reading and writing any number of times, by one writer at a time."""

    def __init__(self, opened: JournalOpened) -> None:
        self.state = _State(opened)
        self.sealed = self.state  # what the parts of the writer have made durable and nobody has committed yet
        self.writer: MemoryLogWriter | None = None
        lines = [
            JournalLine(msgspec.structs.replace(opened, partition=n), opened.opened_at)
            for n in range(opened.partitions)
        ]
        writer = self.write()
        for partition, line in enumerate(lines):
            writer.append_page(partition, JournalPage(0, (line,)))
        writer.open_edition(
            EditionOpened(
                FIRST_EDITION, opened.deployment, opened.generation, opened.partitions, opened_at=opened.opened_at
            )
        )
        journal_digests = tuple(next_journal_digest(EMPTY_DIGEST, None, line.fact).hex() for line in lines)
        ledger_digests = (EMPTY_DIGEST.hex(),) * opened.partitions
        writer.commit(RoundCommitted(0, (), journal_digests=journal_digests, ledger_digests=ledger_digests))
        writer.close()

    def read(self) -> MemoryLogReader:
        return MemoryLogReader(self)

    def write(self) -> MemoryLogWriter:
        if self.writer is not None:
            raise FolderHeld(Path("memory"), None)
        self.sealed = self.state
        self.writer = MemoryLogWriter(self)
        return self.writer

    def part(self) -> MemoryPart:
        """A part of the present writer."""
        return MemoryPart(self)

    def die(self) -> None:
        """The writing process is gone, with all that it had not committed."""
        self.writer = None


class MemoryLogReader:
    """A LogReader over MemoryBooks; it sees the state that was committed when it last looked."""

    def __init__(self, books: MemoryBooks) -> None:
        self._books = books
        self._seen = books.state.copy()

    def opened(self) -> JournalOpened:
        return self._seen.opened

    @property
    def partitions(self) -> int:
        return self._seen.opened.partitions

    def refresh(self) -> None:
        self._seen = self._books.state.copy()

    def committed(self) -> RoundCommitted:
        return self._seen.rounds[-1]

    def last_commit_at(self) -> int:
        return len(self._seen.rounds) - 1

    def commits(self, start: int = 0) -> Iterator[RoundCommitted]:
        if not 0 <= start <= len(self._seen.rounds):
            raise NoSuchPosition("rounds", start)
        return iter(tuple(self._seen.rounds[start:]))

    def editions(self) -> tuple[str, ...]:
        return tuple(sorted(self._seen.editions))

    def current_edition(self) -> str:
        return self.editions()[0]

    def edition(self, name: str) -> EditionOpened:
        self._ledgers(name)
        return self._seen.editions[name]

    def read_journal(self, partition: int, start: int = 0) -> Iterator[tuple[int, JournalPage]]:
        self._check(partition)
        return _from(f"journal/{partition}", self._seen.journal[partition], start)

    def read_ledger(self, edition: str, partition: int, start: int = 0) -> Iterator[tuple[int, list[Posting]]]:
        ledgers = self._ledgers(edition)
        self._check(partition)
        return _from(f"ledger.{edition}/{partition}", ledgers[partition], start)

    def read_rejects(self, start: int = 0) -> Iterator[tuple[int, list[Reject]]]:
        return _from("rejects", self._seen.rejects, start)

    def journal_blocks(self, partition: int, start: int = 0) -> Iterator[EncodedBlock]:
        return encoded((end, [page]) for end, page in self.read_journal(partition, start))

    def ledger_blocks(self, edition: str, partition: int, start: int = 0) -> Iterator[EncodedBlock]:
        return encoded(self.read_ledger(edition, partition, start))

    def reject_blocks(self, start: int = 0) -> Iterator[EncodedBlock]:
        return encoded(self.read_rejects(start))

    def scored_page(self, edition: str, partition: int) -> int | None:
        self._ledgers(edition)
        self._check(partition)
        return None

    def recorded_digests(self, edition: str, partition: int, commit_at: int | None = None) -> RecordedDigests | None:
        self._ledgers(edition)
        self._check(partition)
        at = self.last_commit_at() if commit_at is None else commit_at
        commit = self._seen.rounds[at] if 0 <= at < len(self._seen.rounds) else None
        if commit is None or not commit.ledger_digests:
            return None
        return RecordedDigests(commit.journal_digests[partition], commit.ledger_digests[partition])

    def input_names(self) -> dict[str, str]:
        return {one.sha256: one.name for commit in self.commits() for one in commit.inputs}

    def last_page(self, partition: int) -> JournalPage | None:
        self._check(partition)
        return self._seen.journal[partition][-1] if self._seen.journal[partition] else None

    def last_posting(self, edition: str, partition: int) -> Posting | None:
        ledgers = self._ledgers(edition)
        self._check(partition)
        return ledgers[partition][-1][-1] if ledgers[partition] else None

    def close(self) -> None:
        pass

    def _check(self, partition: int) -> None:
        if not 0 <= partition < self.partitions:
            raise ValueError(f"partition {partition} of {self.partitions}")

    def _ledgers(self, edition: str) -> list[list[list[Posting]]]:
        if edition not in self._seen.ledgers:
            raise UnknownEdition(edition, self.editions())
        return self._seen.ledgers[edition]


class MemoryLogWriter(MemoryLogReader):
    """The LogWriter over MemoryBooks."""

    def __init__(self, books: MemoryBooks) -> None:
        super().__init__(books)
        self._pending = books.state.copy()

    def next_page(self, partition: int) -> int:
        self._check(partition)
        return len(self._pending.journal[partition])

    def next_number(self, edition: str, partition: int) -> int:
        if edition not in self._pending.ledgers:
            raise UnknownEdition(edition, self.editions())
        self._check(partition)
        return 1 + sum(len(batch) for batch in self._pending.ledgers[edition][partition])

    def append_page(self, partition: int, page: JournalPage) -> int:
        self._must_be_open()
        due = self.next_page(partition)
        if page.page != due or not 1 <= len(page.lines) <= MAX_PAGE_LINES:
            raise ValueError(f"page {page.page} of {len(page.lines)} lines, where page {due} is due")
        self._pending.journal[partition].append(page)
        return len(self._pending.journal[partition])

    def append_postings(self, edition: str, partition: int, postings: Sequence[Posting]) -> int:
        self._must_be_open()
        due = self.next_number(edition, partition)
        if [posting.number for posting in postings] != list(range(due, due + len(postings))):
            raise ValueError(f"posting {due} is due")
        if postings:
            self._pending.ledgers[edition][partition].append(copy.deepcopy(list(postings)))
        return len(self._pending.ledgers[edition][partition])

    def append_rejects(self, rejects: Sequence[Reject]) -> tuple[Reject, ...]:
        self._must_be_open()
        due = 1 + sum(len(batch) for batch in self._pending.rejects)
        if any(reject.number not in {0, number} for number, reject in enumerate(rejects, due)):
            raise ValueError(f"reject {due} is due")
        kept = tuple(msgspec.structs.replace(reject, number=number) for number, reject in enumerate(rejects, due))
        if kept:
            self._pending.rejects.append(list(kept))
        return kept

    def open_edition(self, opened: EditionOpened) -> None:
        self._must_be_open()
        constants = (opened.deployment, opened.generation, opened.partitions)
        mine = (self._pending.opened.deployment, self._pending.opened.generation, self._pending.opened.partitions)
        if constants != mine or not (len(opened.edition) == 4 and opened.edition.isdecimal()):
            raise ValueError(f"edition {opened.edition!r} is not one of these books")
        if opened.edition in self._pending.editions:
            raise ValueError(f"edition {opened.edition} is open already")
        self._pending.editions[opened.edition] = opened
        self._pending.ledgers[opened.edition] = [[] for _ in range(opened.partitions)]

    def commit(self, committed: RoundCommitted, parts: Sequence[BookLength] = ()) -> RoundCommitted:
        self._must_be_open()
        if len({length.file for length in parts}) != len(parts):
            raise ValueError("a file of the books grew in two hands")
        for length in parts:
            self._take_over(length)
        number = len(self._pending.rounds)
        if committed.number not in {0, number}:
            raise ValueError(f"commit {committed.number}, where {number} is due")
        kept = sum(len(batch) for batch in self._pending.rejects)
        sealed = msgspec.structs.replace(
            committed, number=number, lengths=self._pending.lengths(), rejects=kept, checksum=1
        )
        self._pending.rounds.append(sealed)
        self._books.state = self._books.sealed = self._pending.copy()
        self.refresh()
        return sealed

    def seal(self) -> tuple[BookLength, ...]:
        self._must_be_open()
        before = {length.file: length for length in self._books.sealed.lengths()}
        grown = tuple(length for length in self._pending.lengths() if length != before[length.file])
        sealed = self._books.sealed.copy()
        for length in grown:
            sealed.file(length.file)[:] = self._pending.file(length.file)
        self._books.sealed = sealed
        return grown

    def _take_over(self, length: BookLength) -> None:
        """What a part has sealed of one file becomes this writer's."""
        mine, sealed = self._pending.file(length.file), self._books.sealed.file(length.file)
        if len(mine) != len(self._books.state.file(length.file)):
            raise ValueError("a file of the books grew in two hands")
        mine[:] = sealed[: length.bytes]

    def close(self) -> None:
        if self._books.writer is self:
            self._books.writer = None

    def _must_be_open(self) -> None:
        if self._books.writer is not self:
            raise RuntimeError("this writer of the books is closed; open them again")


class MemoryPart(MemoryLogWriter):
    """An Appender beside the writer of MemoryBooks."""

    def _must_be_open(self) -> None:
        if self._books.writer is None:
            raise RuntimeError("the writer of these books is gone; open them again")


def _from(name: str, records: list[_T], start: int) -> Iterator[tuple[int, _T]]:
    if not 0 <= start <= len(records):
        raise NoSuchPosition(name, start)
    return enumerate(records[start:], start + 1)
