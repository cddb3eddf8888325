"""Keeps snapshots under a URL that all workers share, so that one machine goes on from what another has kept."""

from collections.abc import Sequence
from typing import Any

import fsspec


class PlaceRefused(ValueError):
    """A URL names no place that this installation can reach; the message says what to install or to change."""


class UrlPlace:
    """A SnapshotPlace under any URL that fsspec knows (s3://…, gs://…, abfs://…, sftp://…, file://…).

    An object store takes a whole file or none. Where a file can be torn, the sum at its end tells.
    """

    def __init__(self, url: str) -> None:
        """Load the library for this kind of URL, and contact nothing yet; raises PlaceRefused."""
        try:
            self._files, self._root = fsspec.core.url_to_fs(url.rstrip("/"))
        except ImportError as error:
            raise PlaceRefused(f"{url}: {error}") from error
        except ValueError as error:
            raise PlaceRefused(f"{url}: {error}. Write it as s3://bucket/folder, or name a folder") from error

    def put(self, name: str, pieces: Sequence[bytes]) -> None:
        """See SnapshotPlace."""
        path, data = self._path(name), b"".join(pieces)
        try:
            self._files.pipe_file(path, data)
        except FileNotFoundError:  # where there are folders, and this one is not there yet
            self._files.makedirs(self._root, exist_ok=True)
            self._files.pipe_file(path, data)

    def get(self, name: str) -> bytes | None:
        """See SnapshotPlace."""
        # What was listed once must be asked for again: others write here.
        self._files.invalidate_cache()
        try:
            found: Any = self._files.cat_file(self._path(name))
        except FileNotFoundError:
            return None
        return bytes(found)

    def remove(self, name: str) -> None:
        """See SnapshotPlace."""
        try:
            self._files.rm_file(self._path(name))
        except FileNotFoundError:
            return

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"
