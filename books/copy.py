"""Copies a stream's books into files, pages and offsets kept, so that one machine can replay and prove them."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from zlib import crc32

import msgspec

from books.encoded_blocks import bodies_of
from books.files.book_file import new_head, read_tail
from books.files.commits import seal
from books.files.create import FIRST_COMMIT, create_whole
from books.files.disk import REAL_FILES, FilePort
from books.files.layout import (
    REJECTS,
    ROUNDS,
    Identity,
    edition_file,
    identity_of,
    journal_file,
    ledger_file,
    scored_mark,
    sync_marker,
)
from books.kafka.log import KafkaLogReader
from schemas.avro.codecs import encode_record
from schemas.avro.containers import encode_block
from schemas.canonical import EMPTY_DIGEST
from schemas.pages import BookLength, InputConsumed, RoundCommitted
from schemas.posting import PostingBatch

OnCopied = Callable[[int], object]
NOT_YET: Final = -1


class Copied(msgspec.Struct):
    """What a copy holds; `unscored` counts the journal's lines that the ledger did not cover yet."""

    pages: int = 0
    lines: int = 0
    postings: int = 0
    rejects: int = 0
    unscored: int = 0


def copy_books(
    source: KafkaLogReader,
    edition: str,
    folder: Path,
    on_copied: OnCopied = lambda _: None,
    *,
    files: FilePort = REAL_FILES,
) -> Copied:
    """Copy all that is committed now into the books of `folder`, which is made; the copy is only ever read.

    `on_copied` is told how many records more were copied.

    Raises:
        BooksExist: the folder has books.
        KafkaUnreachable, BooksDamaged: the stream cannot be read.
    """
    source.refresh_settled()
    return create_whole(files, folder, lambda creating: _Copying(source, edition, creating, on_copied, files).run())


class _Copying:
    def __init__(
        self, source: KafkaLogReader, edition: str, creating: Path, on_copied: OnCopied, files: FilePort
    ) -> None:
        self._source = source
        self._edition = edition
        self._creating = creating
        self._on_copied = on_copied
        self._files = files
        self._identity: Identity = identity_of(source.opened())
        self._lengths: list[BookLength] = []
        self._marks: list[InputConsumed] = []
        self._journal_digests: list[str] = []
        self._ledger_digests: list[str] = []
        self._done = Copied()

    def run(self) -> Copied:
        for partition in range(self._source.partitions):
            scored_page = self._copy_ledger(partition)
            self._copy_journal(partition, scored_page)
            mark = scored_mark(partition)
            self._marks.append(InputConsumed(mark, 0, scored_page + 1, as_is=True, name=mark))
        self._copy_rejects()
        with self._new_file(edition_file(self._edition)) as append:
            append(1, encode_record(self._source.edition(self._edition)))
        committed = seal(
            RoundCommitted(
                FIRST_COMMIT,
                tuple(sorted(self._lengths, key=lambda length: length.file)),
                inputs=tuple(self._marks),
                facts=self._done.lines,
                postings=self._done.postings,
                rejects=self._done.rejects,
                journal_digests=tuple(self._journal_digests),
                ledger_digests=tuple(self._ledger_digests),
            )
        )
        with self._new_file(ROUNDS) as append:
            append(1, encode_record(committed))
        for parent in sorted({(self._creating / length.file).parent for length in self._lengths}):
            self._files.sync_folder(parent)
        return self._done

    def _copy_ledger(self, partition: int) -> int:
        """The postings of a partition; the last page of the journal that they cover."""
        last = PostingBatch((), NOT_YET, EMPTY_DIGEST.hex(), EMPTY_DIGEST.hex())
        with self._new_file(ledger_file(self._edition, partition)) as append:
            for _, last in self._source.read_batches(self._edition, partition):
                if last.postings:
                    append(len(last.postings), bodies_of(last.postings))
                self._done.postings += len(last.postings)
                self._on_copied(1)
        self._journal_digests.append(last.journal_digest)
        self._ledger_digests.append(last.ledger_digest)
        return last.scored_page

    def _copy_journal(self, partition: int, scored_page: int) -> None:
        with self._new_file(journal_file(partition)) as append:
            for _, page in self._source.read_journal(partition):
                append(1, encode_record(page))
                self._done.pages += 1
                self._done.lines += len(page.lines)
                self._done.unscored += len(page.lines) if page.page > scored_page else 0
                self._on_copied(1)

    def _copy_rejects(self) -> None:
        with self._new_file(REJECTS) as append:
            for _, rejects in self._source.read_rejects():
                for reject in rejects:
                    append(1, encode_record(reject))
                    self._done.rejects += 1
                self._on_copied(1)

    @contextmanager
    def _new_file(self, name: str) -> Iterator[Callable[[int, bytes], None]]:
        """A new file of the copy: the body appends blocks to it, then it is on the disk and its length is noted."""
        path = self._creating / name
        sync = sync_marker(self._identity.book, name)
        self._files.make_folder(path.parent)
        with closing(self._files.open_append(path)) as file:
            file.append(new_head(self._identity, name, is_copy=True))
            yield lambda records, data: file.append(encode_block(records, data, sync))
            file.fsync()
        if name != ROUNDS:
            size = self._files.size(path) or 0
            self._lengths.append(BookLength(name, size, crc32(read_tail(self._files, path, size))))
