"""Creates books whole: they are written beside their place and renamed into it, so that half a book is never found."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar
from zlib import crc32

import msgspec

from books.errors import BooksExist
from books.files.book_file import TAIL_BYTES, new_head
from books.files.commits import encode_commit, seal
from books.files.disk import REAL_FILES, FilePort, write_new_file
from books.files.layout import (
    BOOKS,
    CREATING,
    LOCK,
    MAX_PARTITIONS,
    REJECTS,
    ROUNDS,
    Identity,
    edition_file,
    identity_of,
    is_book_file,
    is_book_folder,
    journal_file,
    ledger_file,
    sync_marker,
)
from books.files.lock import hold
from schemas.avro.codecs import encode_record
from schemas.avro.containers import encode_block
from schemas.canonical import EMPTY_DIGEST, next_journal_digest
from schemas.facts import JournalOpened
from schemas.pages import BookLength, JournalLine, JournalPage, RoundCommitted
from schemas.posting import FIRST_EDITION, EditionOpened

FIRST_COMMIT: Final = 0
_Written = TypeVar("_Written")


def create_books(folder: Path, opened: JournalOpened, *, files: FilePort = REAL_FILES) -> RoundCommitted:
    """Create the books of a deployment in `folder`, which is made if it is missing.

    Page 0 of each partition's journal holds `opened` (with its own `partition`), edition 0001 of the ledger is open,
    and commit 0 covers it all. The same constants give the same bytes. Raises BooksExist, FolderHeld, and ValueError
    for constants that no book can have.
    """
    if opened.partition or not opened.deployment or not 1 <= opened.partitions <= MAX_PARTITIONS:
        raise ValueError(f"no book can be opened with {opened}")
    return create_whole(files, folder, lambda creating: _write_all(files, creating, opened))


def create_whole(files: FilePort, folder: Path, write: Callable[[Path], _Written]) -> _Written:
    """Make the books of `folder` by `write`, which is given the place beside them where they are to be written.

    Raises:
        BooksExist: there are books already.
        FolderHeld: another process is making some.
    """
    books, creating = folder / BOOKS, folder / CREATING
    if files.is_folder(books) or files.size(books) is not None:
        raise BooksExist(folder)
    is_new = not files.is_folder(folder)
    files.make_folder(creating)
    lock = hold(files, folder, creating / LOCK)
    try:
        if files.is_folder(books):  # another process has just made them
            raise BooksExist(folder)
        _clear(files, creating)
        written = write(creating)
        if is_new:
            files.sync_folder(folder.parent)
        files.rename(creating, books)
        files.sync_folder(folder)
    finally:
        lock.release()
    return written


def edition_heads(identity: Identity, opened: EditionOpened) -> dict[str, bytes]:
    """The files of a new edition of the ledger, and what stands in them from the beginning."""
    name = edition_file(opened.edition)
    record = encode_block(1, encode_record(opened), sync_marker(identity.book, name))
    ledgers = (ledger_file(opened.edition, partition) for partition in range(opened.partitions))
    return {name: new_head(identity, name) + record} | {ledger: new_head(identity, ledger) for ledger in ledgers}


def _write_all(files: FilePort, creating: Path, opened: JournalOpened) -> RoundCommitted:
    identity = identity_of(opened)
    contents = {REJECTS: new_head(identity, REJECTS)}
    contents |= edition_heads(
        identity,
        EditionOpened(
            FIRST_EDITION, opened.deployment, opened.generation, opened.partitions, opened_at=opened.opened_at
        ),
    )
    digests = []
    for partition in range(opened.partitions):
        line = JournalLine(msgspec.structs.replace(opened, partition=partition), opened.opened_at)
        name = journal_file(partition)
        page = encode_record(JournalPage(0, (line,)))
        contents[name] = new_head(identity, name) + encode_block(1, page, sync_marker(identity.book, name))
        digests.append(next_journal_digest(EMPTY_DIGEST, None, line.fact).hex())
    lengths = [BookLength(name, len(data), crc32(data[-TAIL_BYTES:])) for name, data in sorted(contents.items())]
    committed = seal(
        RoundCommitted(
            FIRST_COMMIT,
            tuple(lengths),
            journal_digests=tuple(digests),
            ledger_digests=(EMPTY_DIGEST.hex(),) * opened.partitions,
        )
    )
    rounds = new_head(identity, ROUNDS) + encode_commit(committed, sync_marker(identity.book, ROUNDS))
    for name, data in (contents | {ROUNDS: rounds}).items():
        files.make_folder((creating / name).parent)
        write_new_file(files, creating / name, (data,))
    for parent in sorted({(creating / name).parent for name in contents}):
        files.sync_folder(parent)
    return committed


def _clear(files: FilePort, creating: Path) -> None:
    """Remove what a creation that was killed has left."""
    for name in (REJECTS, ROUNDS):
        if files.size(creating / name) is not None:
            files.remove(creating / name)
    for folder in filter(is_book_folder, files.names(creating)):
        for name in filter(is_book_file, files.names(creating / folder)):
            files.remove(creating / folder / name)
        files.remove_folder(creating / folder)
