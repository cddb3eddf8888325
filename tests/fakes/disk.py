"""A disk in memory that keeps what was synced and loses the rest: processes die on it, and power fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from books.files.disk import AppendFile, HeldLock, ReadFile

MAX_GARBAGE_BYTES = 300
FLUSH_ODDS = 0.3


class DiedError(Exception):
    """The process came to the effect at which it was to die, or tries another one after its death."""


class _File:
    def __init__(self) -> None:
        self.live = b""
        self.durable = b""


class _Folder:
    def __init__(self) -> None:
        self.live: dict[str, _File | _Folder] = {}
        self.durable: dict[str, _File | _Folder] = {}


class FakeDisk:
    """A FilePort. `effects` counts the calls that change something; `die_at` names the one before which to die."""

    def __init__(self) -> None:
        self.root = _Folder()
        self.effects: Counter[str] = Counter()
        self.die_at: int | None = None
        self.rng = Random(0)
        self._dead = False
        self._held: dict[Path, _FakeLock] = {}
        self._generation = 0

    # -- what tests do to it

    def kill(self) -> None:
        """The process dies: what it had not flushed is gone, what it had flushed is still there."""
        self._generation += 1
        self._held.clear()
        self._dead = False
        self.die_at = None
        self.effects.clear()

    def cut_power(self, rng: Random) -> None:
        """Every file is cut between its last fsync and its end, with garbage behind; unsynced names may be gone."""
        self.kill()
        self._cut(self.root, rng)

    def contents(self) -> dict[str, bytes]:
        """All files, by path."""
        return dict(self._walk(self.root, Path("/")))

    def put(self, path: Path, data: bytes) -> None:
        """Make a file's content what a test wants it to be, and durable."""
        file = self._file(path, create=True)
        file.live = file.durable = data

    def get(self, path: Path) -> bytes:
        """A file's content."""
        return self._file(path).live

    # -- FilePort

    def size(self, path: Path) -> int | None:
        node = self._node(path)
        return len(node.live) if isinstance(node, _File) else None

    def names(self, folder: Path) -> list[str]:
        node = self._node(folder)
        return sorted(node.live) if isinstance(node, _Folder) else []

    def is_folder(self, path: Path) -> bool:
        return isinstance(self._node(path), _Folder)

    def open_read(self, path: Path) -> ReadFile:
        return _FakeRead(self._file(path))

    def open_append(self, path: Path) -> AppendFile:
        if self._node(path) is None:
            self.effect("create")
        return _FakeAppend(self, self._file(path, create=True), self._generation)

    def truncate(self, path: Path, length: int) -> None:
        self.effect("truncate")
        file = self._file(path)
        file.live = file.live[:length].ljust(length, b"\0")

    def rename(self, old: Path, new: Path) -> None:
        self.effect("rename")
        target = self._node(new)
        if isinstance(target, _Folder) and target.live:
            raise FileExistsError(new)
        self._folder(new.parent).live[new.name] = self._folder(old.parent).live.pop(old.name)

    def remove(self, path: Path) -> None:
        self.effect("remove")
        self._file(path)
        del self._folder(path.parent).live[path.name]

    def make_folder(self, folder: Path) -> None:
        if self.is_folder(folder):
            return
        self.effect("make_folder")
        node = self.root
        for part in folder.parts[1:]:
            child = node.live.setdefault(part, _Folder())
            if not isinstance(child, _Folder):
                raise NotADirectoryError(folder)
            node = child

    def remove_folder(self, folder: Path) -> None:
        self.effect("remove_folder")
        if self._folder(folder).live:
            raise OSError(f"{folder} is not empty")
        del self._folder(folder.parent).live[folder.name]

    def sync_folder(self, folder: Path) -> None:
        self.effect("sync_folder")
        node = self._folder(folder)
        node.durable = dict(node.live)

    def do_together(self, effects: Sequence[Callable[[], None]]) -> None:
        for effect in effects:
            effect()

    def sync_file(self, path: Path) -> None:
        node = self._node(path)  # no effect to be counted: a reader's, who changes nothing
        if isinstance(node, _Folder):
            node.durable = dict(node.live)
        elif node is not None:
            node.durable = node.live

    def lock(self, path: Path) -> HeldLock | None:
        if path in self._held:
            return None
        if self._node(path) is None:
            self.effect("create")
        self._held[path] = lock = _FakeLock(self, path, self._file(path, create=True))
        return lock

    def effect(self, kind: str) -> None:
        """Count one effect; die before it, if it is the one."""
        if self._dead or sum(self.effects.values()) + 1 == self.die_at:
            self._dead = True
            raise DiedError(kind)
        self.effects[kind] += 1

    def living(self, generation: int) -> bool:
        """Whether a handle is of the present process."""
        return generation == self._generation

    def release(self, lock: _FakeLock) -> None:
        """Let go of a lock; also a dead process does, without an effect."""
        for path in [path for path, held in self._held.items() if held is lock]:
            del self._held[path]

    # -- inside

    def _node(self, path: Path) -> _File | _Folder | None:
        node: _File | _Folder | None = self.root
        for part in path.parts[1:]:
            node = node.live.get(part) if isinstance(node, _Folder) else None
        return node

    def _folder(self, path: Path) -> _Folder:
        node = self._node(path)
        if not isinstance(node, _Folder):
            raise FileNotFoundError(path)
        return node

    def _file(self, path: Path, *, create: bool = False) -> _File:
        node = self._node(path)
        if node is None and create:
            node = self._folder(path.parent).live[path.name] = _File()
        if not isinstance(node, _File):
            raise FileNotFoundError(path)
        return node

    def _cut(self, folder: _Folder, rng: Random) -> None:
        if rng.random() < 0.5:
            folder.live = dict(folder.durable)
        for node in folder.live.values():
            if isinstance(node, _Folder):
                self._cut(node, rng)
            elif node.live.startswith(node.durable) and len(node.live) > len(node.durable):
                cut = rng.randint(len(node.durable), len(node.live))
                node.live = node.live[:cut] + rng.randbytes(rng.choice((0, rng.randint(1, MAX_GARBAGE_BYTES))))
            elif rng.random() < 0.5:  # it was cut shorter, and the disk may not know it yet
                node.live = node.durable
            if isinstance(node, _File):
                node.durable = node.live
        folder.durable = dict(folder.live)

    def _walk(self, folder: _Folder, path: Path) -> list[tuple[str, bytes]]:
        found: list[tuple[str, bytes]] = []
        for name, node in sorted(folder.live.items()):
            found += [(str(path / name), node.live)] if isinstance(node, _File) else self._walk(node, path / name)
        return found


class _FakeRead:
    def __init__(self, file: _File) -> None:
        self._file = file

    def read_at(self, offset: int, size: int) -> bytes:
        return self._file.live[offset : offset + size]

    def close(self) -> None:
        pass


class _FakeAppend:
    def __init__(self, disk: FakeDisk, file: _File, generation: int) -> None:
        self._disk = disk
        self._file = file
        self._generation = generation
        self._buffer = b""

    def append(self, data: bytes) -> None:
        self._disk.effect("append")
        self._buffer += data
        if self._disk.rng.random() < FLUSH_ODDS:  # a buffer is full when it is full
            self.flush()

    def flush(self) -> None:
        if not self._disk.living(self._generation):
            raise DiedError("flush")
        try:
            self._disk.effect("flush")
        except DiedError:  # half of a write may have come through
            self._file.live += self._buffer[: self._disk.rng.randint(0, len(self._buffer))]
            self._buffer = b""
            raise
        self._file.live += self._buffer
        self._buffer = b""

    def fsync(self) -> None:
        self.flush()
        self._disk.effect("fsync")
        self._file.durable = self._file.live

    def close(self) -> None:
        self._buffer = b""


class _FakeLock:
    def __init__(self, disk: FakeDisk, path: Path, file: _File) -> None:
        self._disk = disk
        self._path = path
        self._file = file
        self._noted = False

    def write_note(self, note: bytes) -> None:
        self._disk.effect("write_note")
        self._noted = True
        self._file.live = note

    def handle(self) -> int | None:
        return None

    def release(self) -> None:
        self._disk.release(self)
        if self._noted:
            self._file.live = b""
