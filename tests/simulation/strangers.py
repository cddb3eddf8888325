"""Others who lay hands on the books: a second writer, one who should have stopped, and whoever flips a bit of them."""

from collections import Counter
from collections.abc import Callable
from random import Random

from books.errors import BooksError, FolderHeld
from books.files.book_file import TAIL_BYTES
from books.files.layout import BOOKS, ROUNDS
from books.files.writer import FileLogWriter
from schemas.pages import Reject, RoundCommitted
from tests.fakes.books import HOLDER
from tests.simulation.disk import SimulatedDisk
from tests.simulation.session import SHOP, SNAPSHOTS, Session
from tests.support.whole_books import LawBroken, require


def second_writer(disk: SimulatedDisk, seen: Counter[str]) -> None:
    """While the books are held nobody else can open them, and trying changes nothing."""
    before = disk.contents()
    try:
        FileLogWriter(SHOP, HOLDER, files=disk)
    except FolderHeld:
        seen["second writers refused"] += 1
    else:
        raise LawBroken("books that are held cannot be opened by another")
    require(before == disk.contents(), "who is refused changes nothing")


def zombie(session: Session, seen: Counter[str]) -> None:
    """Who has let go of the books, or failed, can write no more."""
    before = session.disk.get(SHOP / BOOKS / ROUNDS)
    attempts: list[Callable[[], object]] = [lambda: session.rounds.commit([])]
    if not session.parts:  # of which one may have failed without the others knowing, until the commit
        attempts.append(lambda: session.log.append_rejects([Reject("malformed", "", b"")]))
    for attempt in attempts:
        try:
            attempt()
        except RuntimeError:
            seen["zombies stopped"] += 1
        else:
            raise LawBroken("a writer that is closed or failed takes nothing more")
    require(before == session.disk.get(SHOP / BOOKS / ROUNDS), "a zombie commits nothing")


def damage(disk: SimulatedDisk, committed: RoundCommitted, rng: Random, seen: Counter[str]) -> None:
    """A bit of what was committed is flipped behind the books' back: they are refused, and left as they are."""
    length = rng.choice(committed.lengths)
    path = SHOP / BOOKS / length.file
    data = disk.get(path)
    at = rng.randrange(max(0, length.bytes - TAIL_BYTES), length.bytes)
    disk.put(path, data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :])
    before = book_files(disk)
    try:
        FileLogWriter(SHOP, HOLDER, files=disk)
    except BooksError:
        seen["damaged books refused"] += 1
    else:
        raise LawBroken(f"damaged books are refused (byte {at} of {length.file})")
    require(before == book_files(disk), "who refuses books leaves them as they are")
    disk.put(path, data)


def book_files(disk: SimulatedDisk) -> dict[str, bytes]:
    """The files of the books, by path."""
    return {path: data for path, data in disk.contents().items() if path.endswith(".avro")}


def spoil_snapshots(disk: SimulatedDisk, rng: Random, seen: Counter[str]) -> None:
    """Do something to one of them, now and then; `disk.old` keeps what may come back."""
    names = [name for name in disk.names(SNAPSHOTS) if name.endswith(".snapshot")]
    contents = {name: disk.get(SNAPSHOTS / name) for name in names}
    for name in names:
        path = SNAPSHOTS / name
        data = contents[name]
        old = disk.put_by.setdefault(name, data)
        choice = rng.random()
        if choice < 0.1:
            seen["snapshots outdated"] += old != data
            disk.put(path, old)
        elif choice < 0.15:
            disk.put(path, data[: rng.randrange(len(data) + 1)])
            seen["snapshots torn"] += 1
        elif choice < 0.2:
            at = rng.randrange(len(data)) if data else 0
            disk.put(path, data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :] if data else b"")
            seen["snapshots flipped"] += 1
        elif choice < 0.25:
            disk.put(path, contents[rng.choice(names)])
            seen["snapshots exchanged"] += 1
        elif choice < 0.3:
            disk.put_by[name] = data
            disk.lose(path)
            seen["snapshots deleted"] += 1
