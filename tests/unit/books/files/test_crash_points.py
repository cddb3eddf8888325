"""Dying before each single effect on the disk, by kill and by power cut: a commit is there whole or not at all."""

from collections.abc import Callable
from contextlib import suppress
from random import Random

import pytest

from books.errors import BooksForeign
from books.files.create import create_books
from books.files.reader import FileLogReader
from books.files.writer import FileLogWriter
from tests.fakes.books import FOLDER, HOLDER, new_disk
from tests.fakes.disk import DiedError, FakeDisk
from tests.support.book_folders import append_round
from tests.support.book_samples import OPENED, round_of, second_edition

ROUNDS = 4
EDITION_AT = 3  # the round that also opens a second edition
SEEDS = range(3)


def run(disk: FakeDisk, acknowledged: list[int]) -> None:
    """Bring the books from wherever they stand to the last round."""
    with FileLogWriter(FOLDER, HOLDER, files=disk) as writer:
        for number in range(writer.committed().number + 1, ROUNDS + 1):
            write_round(writer, number)
            writer.commit(round_of(number))
            acknowledged.append(number)


def write_round(writer: FileLogWriter, number: int) -> None:
    append_round(writer, number)
    if number == EDITION_AT:
        writer.open_edition(second_edition())


def books(disk: FakeDisk) -> dict[str, bytes]:
    return {path: data for path, data in disk.contents().items() if path.endswith(".avro")}


@pytest.fixture(scope="module")
def undisturbed() -> list[dict[str, bytes]]:
    """The book files after each commit of a run that nothing disturbs."""
    states = []
    for rounds in range(ROUNDS + 1):
        disk = new_disk()
        create_books(FOLDER, OPENED, files=disk)
        with FileLogWriter(FOLDER, HOLDER, files=disk) as writer:
            for number in range(1, rounds + 1):
                write_round(writer, number)
                writer.commit(round_of(number))
        states.append(books(disk))
    return states


def kill(disk: FakeDisk, seed: int) -> None:
    disk.kill()
    assert seed in SEEDS


def cut_power(disk: FakeDisk, seed: int) -> None:
    disk.cut_power(Random(seed))


def survivors(die: Callable[[FakeDisk, int], None], seed: int, die_at: int) -> tuple[FakeDisk, list[int]] | None:
    """The disk after a death before effect `die_at`, and the commits acknowledged by then; None if it came that far."""
    disk = new_disk()
    create_books(FOLDER, OPENED, files=disk)
    disk.effects.clear()
    disk.rng = Random(die_at * 1000 + seed)
    disk.die_at = die_at
    acknowledged = [0]
    try:
        run(disk, acknowledged)
    except DiedError:
        die(disk, seed)
        return disk, acknowledged
    return None


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("die", [kill, cut_power])
def test_writing(undisturbed: list[dict[str, bytes]], die: Callable[[FakeDisk, int], None], seed: int) -> None:
    deaths = 0
    while (survived := survivors(die, seed, deaths + 1)) is not None:
        deaths += 1
        disk, acknowledged = survived
        found = FileLogReader(FOLDER, files=disk).committed().number
        # What was acknowledged is there; and at most the commit on whose last fsync it died.
        assert found in {acknowledged[-1], acknowledged[-1] + 1}
        with FileLogWriter(FOLDER, HOLDER, files=disk):
            assert books(disk) == undisturbed[found]
        run(disk, acknowledged)
        assert books(disk) == undisturbed[ROUNDS]
    assert deaths > 80


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("die", [kill, cut_power])
def test_dying_again_while_opening(
    undisturbed: list[dict[str, bytes]], die: Callable[[FakeDisk, int], None], seed: int
) -> None:
    again = 0
    for first in range(30, 90, 4):
        again = 0
        while True:
            survived = survivors(die, seed, first)
            assert survived is not None
            disk, acknowledged = survived
            disk.die_at = again + 1
            try:
                with FileLogWriter(FOLDER, HOLDER, files=disk):
                    pass
            except DiedError:
                again += 1
                die(disk, seed)
                run(disk, acknowledged)
                assert books(disk) == undisturbed[ROUNDS]
            else:
                break
    assert again > 0


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("die", [kill, cut_power])
def test_creating(undisturbed: list[dict[str, bytes]], die: Callable[[FakeDisk, int], None], seed: int) -> None:
    deaths = 0
    while True:
        disk = new_disk()
        disk.die_at = deaths + 1
        try:
            create_books(FOLDER, OPENED, files=disk)
        except DiedError:
            deaths += 1
            die(disk, seed)
        else:
            break
        try:
            FileLogReader(FOLDER, files=disk)
        except BooksForeign:
            create_books(FOLDER, OPENED, files=disk)
        assert books(disk) == undisturbed[0]
        assert disk.names(FOLDER) == ["books"]
        run(disk, [])
        assert books(disk) == undisturbed[ROUNDS]
    assert deaths > 30


def test_books_that_were_created_outlive_a_power_cut(undisturbed: list[dict[str, bytes]]) -> None:
    for seed in range(20):
        disk = FakeDisk()
        create_books(FOLDER, OPENED, files=disk)
        disk.cut_power(Random(seed))
        assert books(disk) == undisturbed[0]


@pytest.mark.parametrize("seed", range(8))
def test_books_found_after_a_death_while_creating_them_outlive_a_power_cut(seed: int) -> None:
    found = 0
    for die_at in range(1, 60):
        disk = new_disk()
        disk.die_at = die_at
        with suppress(DiedError):
            create_books(FOLDER, OPENED, files=disk)
        disk.kill()
        if disk.is_folder(FOLDER / "books"):
            found += 1
            with FileLogWriter(FOLDER, HOLDER, files=disk):
                pass
            disk.cut_power(Random(seed))
            assert FileLogReader(FOLDER, files=disk).committed().number == 0
    assert found > 0
