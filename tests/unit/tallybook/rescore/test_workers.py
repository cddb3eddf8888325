"""Partitions of a run, decided in child processes: their files are whole or not there, and the same every time."""

from pathlib import Path

import pytest

from processors.replay.rescore.two_worlds import EVERYBODY
from tallybook.folder.folder import Folder
from tallybook.open_books import open_books
from tallybook.rescore.plan import Asked, make_plan
from tallybook.rescore.runs import Run, Runs
from tallybook.rescore.workers import _rescore_into_files, rescore_in_children
from tests.support.small_folder import OPENED_AT, PARTITIONS, RULES_2

ALL = range(PARTITIONS)


def opened(folder: Path, tmp_path: Path) -> Run:
    """A run of the small folder with one draft, of which nothing is decided yet."""
    file = tmp_path / "2.yaml"
    file.write_text(RULES_2, encoding="utf-8")
    with open_books(Folder(folder)) as log:
        plan = make_plan(log, [("two", [Asked(file, "2026-11-01")])], EVERYBODY)
    runs = Runs(Folder(folder))
    with runs.held(OPENED_AT):
        return runs.open(plan, OPENED_AT)


def files_of(run: Run) -> dict[str, bytes]:
    return {
        str(file.relative_to(run.place)): file.read_bytes() for file in sorted(run.place.rglob("*")) if file.is_file()
    }


def decided(folder: Path, run: Run, processes: int) -> dict[str, bytes]:
    told: list[int] = []
    rescore_in_children(Folder(folder), run, list(ALL), processes, told.append, lambda: False)
    assert sum(told) == run.totals().postings > 0
    return files_of(run)


def test_one_and_two_processes_write_the_same_files(folder: Path, tmp_path: Path) -> None:
    one = decided(folder, opened(folder, tmp_path), 1)
    two = decided(folder, opened(folder, tmp_path), 2)
    assert one == two
    assert sum(name.endswith(".lines.jsonl") for name in one) == PARTITIONS
    assert not any(name.endswith(".tmp") for name in one)
    assert any(one[name] for name in one if name.endswith(".lines.jsonl"))


def test_asked_to_stop_it_ends_and_what_is_finished_stays(folder: Path, tmp_path: Path) -> None:
    run = opened(folder, tmp_path)
    rescore_in_children(Folder(folder), run, list(ALL), 1, lambda _: None, lambda: bool(run.finished()))
    assert 1 <= len(run.finished()) < PARTITIONS
    rest = [partition for partition in ALL if partition not in run.finished()]
    rescore_in_children(Folder(folder), run, rest, 2, lambda _: None, lambda: False)
    run.clear_away()  # what the process was writing when it was stopped
    assert files_of(run) == decided(folder, opened(folder, tmp_path), 2)


def test_a_process_whose_parent_was_killed_does_not_disturb_the_next(folder: Path, tmp_path: Path) -> None:
    """It may still be writing a partition when the same command decides that partition once more."""
    run = opened(folder, tmp_path)
    plan, again = run.plan(), iter(range(1))
    with open_books(Folder(folder)) as log:

        def meanwhile(_: int) -> None:
            for _once in again:
                _rescore_into_files(log, run, plan, 0, lambda _: None)

        run.finish(_rescore_into_files(log, run, plan, 0, meanwhile))
    assert len(list(run.lines("two"))) == run.totals().drafts[0].lines > 0
    assert len(list(run.members("two"))) == run.totals().drafts[0].members > 0
    assert not list(run.place.rglob("*.tmp"))


def test_a_partition_that_fails_leaves_no_file_that_counts(folder: Path, tmp_path: Path) -> None:
    run = opened(folder, tmp_path)

    def fail(_: int) -> None:
        raise KeyError("in the midst of it")

    with open_books(Folder(folder)) as log, pytest.raises(KeyError):
        _rescore_into_files(log, run, run.plan(), 0, fail)
    assert not list(run.place.rglob("*.jsonl"))
    assert run.finished() == {}
