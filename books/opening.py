"""Tells books that this program reads from those of another form: asked wherever the opening of books is read."""

from pathlib import Path
from typing import Final

from books.errors import BooksForeign
from schemas.facts import BOOKS_VERSION, JournalOpened

READ_VERSIONS: Final = range(BOOKS_VERSION + 1)  # 0 has the same form as 1, and does not say so


class BooksOfOtherVersion(BooksForeign):
    """The books are written in a form that this program does not read."""


def readable(opened: JournalOpened, place: Path | str) -> JournalOpened:
    """Give back an opening whose books this program reads.

    Raises:
        BooksOfOtherVersion: they have another form, such as that of a newer program.
    """
    if opened.books_version not in READ_VERSIONS:
        raise BooksOfOtherVersion(
            place,
            f"the books of {opened.deployment!r} have version {opened.books_version} of their form, and this program "
            f"reads versions {READ_VERSIONS[0]} to {READ_VERSIONS[-1]}",
            "Use the program that wrote them; or have it write their facts (`tallybook books export FILE`), make a new "
            "folder with this one (`tallybook init NEW`), and import FILE there.",
        )
    return opened
