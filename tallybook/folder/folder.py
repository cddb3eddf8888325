"""Knows where a programme's books, rules, inbox, caches and tables lie in its folder, and opens them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from schemas.bounds import DAY_MS
from tallybook.folder.defaults import REFERRAL_WINDOW_DAYS
from tallybook.screen import note

if TYPE_CHECKING:  # slow to load, and many commands need only one of them, or none
    from importlib.resources.abc import Traversable

    from books.files.consumed import ConsumedCache
    from books.files.reader import FileLogReader
    from books.files.writer import FileLogWriter
    from books.snapshots.store import SnapshotStore
    from processors.decider.rules.ruleset import Ruleset
    from projections.store import Store

STREAM_FILE: Final = "stream.toml"
STREAM_SWITCH: Final = "TALLYBOOK_BOOTSTRAP"
MAX_RULESETS_KEPT: Final = 16  # every partition asks for the same few


class FolderRefused(Exception):
    """The folder cannot be used this way; the message says why and what to do."""


class Folder:
    """Knows where everything of a programme lies in its folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.rulesets = root / "rulesets"
        self.inbox = root / "inbox"
        self.snapshots = root / "snapshots"
        self.clickhouse = root / "clickhouse"
        self.books = root / "books"
        self.rescores = root / "rescores"

    @property
    def is_stream(self) -> bool:
        """Whether the books are on Kafka: it has a stream.toml, or no books, and the environment names a Kafka."""
        return (self.root / STREAM_FILE).exists() or (STREAM_SWITCH in os.environ and not self.books.exists())

    def create(self, deployment: str, partitions: int, horizon_days: int, opened_at: int) -> None:
        """Make the folders and empty books; raises BooksExist where there are books already."""
        from books.files.create import create_books
        from schemas.facts import BOOKS_VERSION, JournalOpened

        self.inbox.mkdir(parents=True, exist_ok=True)
        self.rulesets.mkdir(exist_ok=True)
        create_books(
            self.root,
            JournalOpened(
                deployment=deployment,
                generation=1,
                partitions=partitions,
                partition=0,
                horizon_ms=horizon_days * DAY_MS,
                referral_window_ms=REFERRAL_WINDOW_DAYS * DAY_MS,
                opened_at=opened_at,
                books_version=BOOKS_VERSION,
            ),
        )

    def copy_ruleset(self, programme: str) -> Path:
        """Copy a shipped programme's rulesets into this folder; gives the newest file."""
        source = shipped_programme(programme)
        target = self.rulesets / programme
        target.mkdir(parents=True, exist_ok=True)
        copied = []
        for item in sorted(source.iterdir(), key=lambda entry: entry.name):
            if item.name.endswith(".yaml"):
                (target / item.name).write_text(item.read_text(encoding="utf-8"), encoding="utf-8")
                copied.append(target / item.name)
        return copied[-1]

    def ruleset_files(self) -> list[Path]:
        """List the ruleset files of the folder, oldest version name first."""
        return sorted(self.rulesets.glob("*/*.yaml")) + sorted(self.rulesets.glob("*.yaml"))

    @contextmanager
    def reading(self) -> Iterator[FileLogReader]:
        """Open the committed books in this folder's files, read-only (`tallybook.open_books`: on Kafka too)."""
        from books.files.reader import FileLogReader

        with closing(FileLogReader(self.root)) as log:
            yield log

    @contextmanager
    def writing(self, now: int) -> Iterator[FileLogWriter]:
        """Open the books with the folder's lock, taken at `now` (UTC ms); raises FolderHeld where it is taken."""
        if self.is_stream:
            raise FolderRefused(
                f"the books of {self.root} are on Kafka, where only its stages write: publish facts there "
                "(`tallybook publish FILE`). Nothing was changed."
            )
        from books.files.lock import this_process
        from books.files.writer import FileLogWriter

        with FileLogWriter(self.root, this_process(now)) as log:
            if log.cut_bytes:
                note(
                    f"the last run was stopped within a round: {log.cut_bytes:,} bytes of it were dropped; "
                    "what was committed is kept"
                )
            yield log

    @contextmanager
    def store(self) -> Iterator[Store]:
        """Open the embedded ClickHouse of this folder, migrated.

        Raises:
            StoreError: it cannot be opened, or what the body asks of it fails; the message says what to do.
        """
        from projections.clickhouse.client import open_chdb  # slow to load, and most commands do not ask it
        from projections.clickhouse.disk_errors import told_clearly
        from projections.clickhouse.migrate import migrate

        with told_clearly(self.clickhouse), open_chdb(self.clickhouse) as store:
            with told_clearly(self.clickhouse, opening=True):
                migrate(store)
            yield store

    def snapshot_store(self) -> SnapshotStore:
        """Open the cache of account states."""
        from books.snapshots.store import SnapshotStore

        return SnapshotStore(self.snapshots)

    def consumed_cache(self) -> ConsumedCache:
        """Open the cache of how far inputs were taken in."""
        from books.files.consumed import ConsumedCache

        return ConsumedCache(self.snapshots)


def shipped_programme(name: str) -> Traversable:
    """Find the folder of a programme that comes with Tallybook; raises FolderRefused for an unknown name."""
    from importlib.resources import files as package_files

    source = package_files("rulesets") / name
    if not source.is_dir():
        shipped = sorted(item.name for item in package_files("rulesets").iterdir() if item.is_dir())
        names = ", ".join(each for each in shipped if not each.startswith("_"))
        raise FolderRefused(f"there is no shipped programme {name!r}; there are: {names}. Nothing was changed.")
    return source


def read_ruleset(file: Path) -> tuple[str, Ruleset]:
    """Read a ruleset file: its text and what it says.

    Raises:
        FolderRefused: the file cannot be read.
        RulesetRefused: with every error, by file and line.
    """
    from processors.ruleset.parse import parse_ruleset

    text = read_ruleset_text(file)
    ruleset, _ = parse_ruleset(text, str(file))
    return text, ruleset


def read_ruleset_text(file: Path) -> str:
    """Read the text of a ruleset file.

    Raises:
        FolderRefused: the file cannot be read.
        RulesetRefused: it is no text.
    """
    from processors.ruleset.parse import decode_ruleset

    try:
        data = file.read_bytes()
    except OSError as error:
        raise FolderRefused(
            f"{file}: {error.strerror}. Name a ruleset file (rulesets/<programme>/<version>.yaml)."
        ) from error
    return decode_ruleset(data, str(file))


@lru_cache(MAX_RULESETS_KEPT)
def load_published(text: str) -> Ruleset:
    """Read the ruleset of a publication's text, which was checked when it was published."""
    from processors.ruleset.parse import parse_ruleset

    ruleset, _ = parse_ruleset(text, "published ruleset")
    return ruleset
