"""The summary of consumed inputs: it says what reading all commits says, whatever happens to its file."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import msgspec

from books.files.consumed import FILE, ConsumedCache
from books.files.reader import FileLogReader
from books.log import CommittedRounds
from schemas.pages import InputConsumed, RefusedAgain, RoundCommitted
from tests.fakes.books import FOLDER, MemoryBooks
from tests.fakes.disk import DiedError, FakeDisk
from tests.support.book_samples import OPENED, round_of

NONE_AT_ALL = Path("/nowhere")


class CountsCommits(FileLogReader):
    """A reader that notes from where commits were asked for."""

    def __init__(self, books: MemoryBooks) -> None:
        super().__init__(FOLDER, files=books.disk)
        self.starts: list[int] = []

    def commits(self, start: int = 0) -> Iterator[RoundCommitted]:
        self.starts.append(start)
        return super().commits(start)


def books_with(commits: int, seed: int = 1) -> MemoryBooks:
    books, random = MemoryBooks(OPENED), Random(seed)
    go_on(books, random, commits)
    return books


def go_on(books: MemoryBooks, random: Random, commits: int) -> None:
    writer = books.write()
    for number in range(commits):
        names = random.sample("abcdef", random.randrange(3))
        inputs = tuple(InputConsumed(name * 64, number, number, random.random() < 0.3, f"{name}.csv") for name in names)
        mended = tuple(random.sample(range(1, 9), random.randrange(2)))
        again = tuple(RefusedAgain(name * 64, number + 1, random.randrange(1, 9)) for name in names[:1])
        writer.commit(msgspec.structs.replace(round_of(1), inputs=inputs, mended=mended, refused_again=again))
    writer.close()


def read_all(log: CommittedRounds) -> list[InputConsumed]:
    return list({(one.sha256, one.as_is): one for commit in log.commits() for one in commit.inputs}.values())


def test_a_summary_says_the_same_of_refused_records_too(tmp_path: Path) -> None:
    random = Random(6)
    books, cache, seen = books_with(12), ConsumedCache(tmp_path / "cache"), 0
    for _ in range(5):
        found, commits = cache.past(books.read()), list(books.read().commits())
        assert found.mended == {number for commit in commits for number in commit.mended}
        again = [one for commit in commits for one in commit.refused_again if one.reject not in found.mended]
        assert found.refused_again == again
        seen += len(again) * len(found.mended)
        cache.save(books.read())
        go_on(books, random, 3)
    assert seen > 0


def test_a_summary_and_what_came_after_it_say_what_all_commits_say(tmp_path: Path) -> None:
    random = Random(5)
    books, cache = books_with(20), ConsumedCache(tmp_path / "cache")
    for _ in range(6):
        log = CountsCommits(books)
        assert cache.consumed(log) == read_all(books.read())
        cache.save(log)
        log.starts.clear()
        assert cache.consumed(log) == read_all(books.read())
        assert set(log.starts) == {log.last_commit_at()}, "no commit before the summary's is read"
        go_on(books, random, random.randrange(1, 5))


def test_the_summary_of_other_books_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    cache = ConsumedCache(tmp_path)
    cache.save(books_with(9, seed=1).read())
    for other in (books_with(9, seed=2), books_with(3, seed=1), books_with(12, seed=3), MemoryBooks(OPENED)):
        assert cache.consumed(other.read()) == read_all(other.read())
    reopened = MemoryBooks(msgspec.structs.replace(OPENED, opened_at=OPENED.opened_at + 1))
    assert cache.consumed(reopened.read()) == []


def test_a_damaged_summary_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    books, cache = books_with(9), ConsumedCache(tmp_path)
    cache.save(books.read())
    whole = (tmp_path / FILE).read_bytes()
    for at in range(0, len(whole), 7):
        for data in (whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]):
            (tmp_path / FILE).write_bytes(data)
            log = CountsCommits(books)
            assert cache.consumed(log) == read_all(books.read())
            assert log.starts == [0]
    assert ConsumedCache(NONE_AT_ALL).consumed(books.read()) == read_all(books.read())


def test_a_death_while_saving_leaves_a_summary_that_is_right_or_none() -> None:
    folder, books = Path("/cache"), books_with(9)
    for die_at in range(1, 20):
        disk = FakeDisk()
        cache = ConsumedCache(folder, files=disk)
        cache.save(books_with(5).read())
        disk.effects.clear()
        disk.rng, disk.die_at = Random(die_at), die_at
        try:
            cache.save(books.read())
        except DiedError:
            disk.cut_power(Random(die_at))
            assert cache.consumed(books.read()) == read_all(books.read())
        else:
            break
    assert 4 < die_at < 19
