"""Names the files of the books, and says what the head of each must hold."""

import re
from hashlib import sha256
from typing import Final

import msgspec

from schemas.avro.containers import SYNC_BYTES, Header
from schemas.canonical import canonical_fact
from schemas.facts import JournalOpened

LAYOUT: Final = "1"
BOOKS: Final = "books"
CREATING: Final = "books.creating"
LOCK: Final = "LOCK"
ROUNDS: Final = "rounds.avro"
REJECTS: Final = "rejects.avro"
JOURNAL: Final = "journal"
OPENED: Final = "opened.avro"
# In the heads of files that were copied from a stream: pages are numbered by their offsets there.
PAGES: Final = "tallybook.pages"
OFFSETS: Final = b"offsets"
MAX_PARTITIONS: Final = 10_000

_NOT_UTF8: Final = b"\xff"

_EDITION: Final = re.compile(r"\d{4}")
_LEDGER: Final = re.compile(r"ledger\.(\d{4})")
_PARTITION: Final = re.compile(r"\d{2,4}\.avro")


class Identity(msgspec.Struct, frozen=True):
    """Which book a file belongs to; `book` is a hash over all constants of its opening, `opened_at` included."""

    book: str
    deployment: str
    generation: int


def identity_of(opened: JournalOpened) -> Identity:
    """The identity that every file of a book bears."""
    constants = msgspec.structs.replace(opened, partition=0)
    book = sha256(canonical_fact(constants)).hexdigest()[:32]
    return Identity(book, opened.deployment, opened.generation)


def journal_file(partition: int) -> str:
    """The journal of one partition, relative to the folder of the books."""
    return f"{JOURNAL}/{partition:02d}.avro"


def ledger_folder(edition: str) -> str:
    """The folder of one edition of the ledger."""
    return f"ledger.{edition}"


def ledger_file(edition: str, partition: int) -> str:
    """The ledger of one edition and partition."""
    return f"{ledger_folder(edition)}/{partition:02d}.avro"


def edition_file(edition: str) -> str:
    """The file that says what an edition opened with."""
    return f"{ledger_folder(edition)}/{OPENED}"


def edition_of(file: str) -> str | None:
    """The edition that `file` opens, if it is such a file."""
    folder, _, name = file.partition("/")
    match = _LEDGER.fullmatch(folder)
    return match[1] if match and name == OPENED else None


def is_edition(name: str) -> bool:
    """Whether a name is one that an edition may have: four digits."""
    return _EDITION.fullmatch(name) is not None


def is_book_folder(name: str) -> bool:
    """Whether a folder beside the rounds file is one of ours."""
    return name == JOURNAL or _LEDGER.fullmatch(name) is not None


def is_book_file(name: str) -> bool:
    """Whether a file in such a folder is one of ours; nothing else there is ever touched."""
    return name == OPENED or _PARTITION.fullmatch(name) is not None


def schema_of(file: str) -> str:
    """The name of the records that a file of the books holds."""
    if file in {ROUNDS, REJECTS}:
        return "RoundCommitted" if file == ROUNDS else "Reject"
    folder, _, name = file.partition("/")
    if folder == JOURNAL:
        return "JournalPage"
    return "EditionOpened" if name == OPENED else "Posting"


def metadata_of(identity: Identity, file: str, schema: str, *, is_copy: bool = False) -> dict[str, bytes]:
    """What the head of a file says; `is_copy`: it is copied from a stream."""
    return ({PAGES: OFFSETS} if is_copy else {}) | {
        "avro.schema": schema.encode(),
        "tallybook.layout": LAYOUT.encode(),
        "tallybook.deployment": identity.deployment.encode(),
        "tallybook.generation": str(identity.generation).encode(),
        "tallybook.book": identity.book.encode(),
        "tallybook.file": file.encode(),
    }


def identity_in(header: Header) -> Identity | None:
    """The identity that a file's head gives; None if it is no book of Tallybook."""
    found = [header.metadata.get(f"tallybook.{key}", b"") for key in ("book", "deployment", "generation")]
    book, deployment, generation = (value.decode(errors="replace") for value in found)
    if not book or not re.fullmatch(r"\d{1,9}", generation):
        return None
    return Identity(book, deployment, int(generation))


def sync_marker(book: str, file: str) -> bytes:
    """The 16 bytes that end each block of a file: made from the book's id and the file's name alone.

    They are not random, as in other containers: so the same facts give the same bytes, and a block of another run is
    recognised at once. The first byte never occurs in UTF-8, so no text that a publisher sends can imitate them.
    """
    return _NOT_UTF8 + sha256(f"{book}\n{file}".encode()).digest()[: SYNC_BYTES - 1]


def scored_mark(partition: int) -> str:
    """The name under which a copy's commit says how far the ledger covers a partition's journal."""
    return f"scored/{partition}"


def is_copy(header: Header) -> bool:
    """Whether a file was copied from a stream."""
    return header.metadata.get(PAGES) == OFFSETS


def mismatch(header: Header, identity: Identity, file: str) -> str | None:
    """Why a file is not the one of this name in the book of `identity`; None if it is."""
    layout = header.metadata.get("tallybook.layout", b"").decode(errors="replace")
    found = identity_in(header)
    if found is None:
        return "is an Avro file, but not one of Tallybook's"
    if layout != LAYOUT:
        return f"has layout {layout!r}, and this version of Tallybook reads layout {LAYOUT!r}"
    if (found.deployment, found.generation) != (identity.deployment, identity.generation):
        return (
            f"belongs to deployment {found.deployment!r}, generation {found.generation}, and not to "
            f"{identity.deployment!r}, generation {identity.generation}"
        )
    if found.book != identity.book:
        return f"belongs to another book of deployment {identity.deployment!r}, opened apart from this one"
    if header.sync != sync_marker(identity.book, file):
        named = header.metadata.get("tallybook.file", b"").decode(errors="replace")
        return f"is {named!r} under another name"
    return None
