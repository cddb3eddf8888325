"""Wherever snapshots are kept, a place gives back what it was given last, to everybody who shares it."""

from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from books.snapshots.shared import PlaceRefused, UrlPlace
from books.snapshots.store import FolderPlace, SnapshotPlace
from tests.fakes.disk import FakeDisk

Open = Callable[[], SnapshotPlace]


@pytest.fixture(params=["folder", "fake-disk", "url-of-files", "url-of-memory"])
def open_place(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """How each of the processes that share a place opens it; it holds nothing yet."""
    disk = FakeDisk()
    fsspec.filesystem("memory").store.clear()
    places: dict[str, Open] = {
        "folder": lambda: FolderPlace(tmp_path / "new" / "shop"),
        "fake-disk": lambda: FolderPlace(Path("/new/shop"), disk),
        "url-of-files": lambda: UrlPlace(f"file://{tmp_path}/new/shop/"),
        "url-of-memory": lambda: UrlPlace("memory://new/shop"),
    }
    return places[str(request.param)]


def test_what_one_keeps_another_finds(open_place: Open) -> None:
    mine, theirs = open_place(), open_place()
    assert (mine.get("a"), theirs.get("a")) == (None, None)
    mine.put("a", (b"head", b"", b"body"))
    assert (mine.get("a"), theirs.get("a"), theirs.get("b")) == (b"headbody", b"headbody", None)
    theirs.put("a", (b"newer",))
    theirs.put("b", ())
    assert (mine.get("a"), mine.get("b")) == (b"newer", b"")


def test_what_is_removed_is_gone(open_place: Open) -> None:
    mine, theirs = open_place(), open_place()
    mine.remove("a")
    mine.put("a", (b"x",))
    mine.put("b", (b"y",))
    theirs.remove("a")
    theirs.remove("a")
    assert (mine.get("a"), mine.get("b")) == (None, b"y")


@pytest.mark.parametrize(("url", "said"), [("nowhere://x", "Write it as s3://"), ("s3://bucket/shop", "Install s3fs")])
def test_a_url_that_cannot_be_followed_says_what_to_do(url: str, said: str) -> None:
    with pytest.raises(PlaceRefused, match=said) as refused:
        UrlPlace(url)
    assert url in str(refused.value)
