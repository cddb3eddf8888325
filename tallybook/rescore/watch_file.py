"""Gives what a file holds, now and each time that it was saved with something else in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from tallybook.folder.folder import FolderRefused

POLL_SECONDS: Final = 0.3


def wait_a_moment() -> None:
    """Wait until it is time to look at the file again."""
    time.sleep(POLL_SECONDS)


def saved_contents(file: Path, wait: Callable[[], object]) -> Iterator[bytes]:
    """What a file holds, and again whenever it holds something else, until `wait` ends it by raising.

    It is looked at whenever `wait` returns. Editors that save under another name and rename it leave the file away for
    a moment: that is waited for.

    Raises:
        FolderRefused: it is not there at first, or cannot be read.
    """
    before: bytes | None = None
    while True:
        try:
            content = file.read_bytes()
        except OSError as error:
            if before is None or not isinstance(error, FileNotFoundError):
                raise FolderRefused(f"{file}: {error.strerror}. Name a ruleset file that can be read.") from error
            content = before
        if content != before:
            before = content
            yield content
        wait()
