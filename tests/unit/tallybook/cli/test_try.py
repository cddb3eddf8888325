"""A ruleset that is being written is tried: its errors, its examples, and what it changes in the last days."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from books.files.reader import FileLogReader
from processors.replay.rescore.partition_run import Cut
from processors.replay.rescore.two_worlds import MILLION
from schemas.pages import JournalPage
from tallybook.folder.folder import Folder, FolderRefused
from tallybook.rescore import try_rules, watch_file
from tallybook.rescore.plan import RescoreRefused
from tallybook.rescore.watch_file import saved_contents
from tests.support.command_line import run
from tests.support.small_folder import RULES, RULES_2

EXAMPLE = """\
examples:
  - name: Two euros
    facts:
      - {purchase: anna, at: 2026-01-07T12:00, amount_minor: 200}
    expect:
      - {rule: base, points: 2}
"""


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    """The file that is being written; at first it holds what is published, under a version of its own."""
    file = tmp_path / "2.yaml"
    file.write_text(RULES.replace('version: "1"', 'version: "2"'), encoding="utf-8")
    return file


def test_rules_that_say_the_same_change_nothing(read_only: Path, draft: Path) -> None:
    result = run(read_only, "rules", "try", str(draft))
    assert result.code == 0, result.err
    assert f"{draft}: version 2 of corner-shop, 6 rules, 2 limits, 0 examples: all right" in result.out
    assert "the last 30 days (from 2026-10-16, local midnight) up to the last tick, 2026-11-15T00:00:00" in result.out
    assert "nothing changes for 3 members" in result.out


def test_what_a_draft_changes_is_what_a_run_of_it_finds(folder: Path, draft: Path) -> None:
    draft.write_text(RULES_2, encoding="utf-8")
    result = run(folder, "rules", "try", str(draft))
    assert result.code == 4, result.err
    assert f"for all members, kept: tallybook rescore run --rules {draft} --from 2026-10-16 --until never" in result.out
    tried = run(folder, "rules", "try", str(draft), "--json", "--point-value", "0.01 EUR").json()
    assert tried["ok"]
    assert not (folder / "rescores").exists()
    ran = run(folder, "rescore", "run", "--rules", str(draft), "--from", "2026-10-16", "--until", "never",
              "--point-value", "0.01 EUR", "--processes", "1", "--json")  # fmt: skip
    assert ran.code == 4, ran.err
    (found,) = ran.json()["drafts"]
    apart = {"run", "draft"}
    assert tried["changes"]["share"] == 1
    assert {key: tried["changes"][key] for key in found if key not in apart} == {
        key: value for key, value in found.items() if key not in apart
    }
    assert found["up"] > 0
    assert found["is_proven"]


def test_only_the_last_days_are_changed(folder: Path, draft: Path) -> None:
    draft.write_text(RULES_2, encoding="utf-8")
    result = run(folder, "rules", "try", str(draft), "--days", "2", "--json").json()
    assert result["changes"]["from_day"] == "2026-11-13"
    assert [member["member_id"] for member in result["changes"]["winners"]] == ["ben"]
    assert result["changes"]["lines"] == 1


def test_errors_are_told_and_nothing_is_compared(read_only: Path, draft: Path) -> None:
    draft.write_text(RULES_2.replace("per_minor: 100", "per_minor: 0"), encoding="utf-8")
    result = run(read_only, "rules", "try", str(draft))
    assert result.code == 3
    assert f"{draft}:11: error: rules[base].per_minor" in result.out
    assert "had it been in force" not in result.out
    draft.write_bytes(b"programme: \xff\n")
    assert run(read_only, "rules", "try", str(draft)).code == 3


def test_an_example_that_comes_out_otherwise_is_told_beside_what_changes(read_only: Path, draft: Path) -> None:
    draft.write_text(RULES_2 + EXAMPLE, encoding="utf-8")
    result = run(read_only, "rules", "try", str(draft))
    assert result.code == 3
    assert "example: Two euros: " in result.out
    assert "of 3 change" in result.out


def test_a_published_version_may_be_a_draft(read_only: Path, draft: Path) -> None:
    draft.write_text(RULES_2.replace('version: "2"', 'version: "1"'), encoding="utf-8")
    result = run(read_only, "rules", "try", str(draft))
    assert result.code == 4
    assert f"{draft}:1: warning: version: version 1 is published with another text" in result.out
    assert "needs a `version:` of its own before it is published" in result.out


def test_rules_of_another_programme_are_refused(read_only: Path, draft: Path) -> None:
    draft.write_text(RULES_2.replace("programme: corner-shop", "programme: other-shop"), encoding="utf-8")
    result = run(read_only, "rules", "try", str(draft))
    assert result.code == 3
    assert f"{draft}:1: error: programme: " in result.out
    assert "these books are of 'corner-shop'" in result.out


def test_without_books_errors_and_examples_are_told(tmp_path: Path, draft: Path) -> None:
    result = run(tmp_path, "rules", "try", str(draft))
    assert result.code == 0
    assert "all right\nthis folder has no books: errors and examples are all that can be told\n" in result.out
    assert run(tmp_path, "rules", "try", str(draft), "--json").json()["changes"] is None


def test_books_without_a_tick_compare_nothing(tmp_path: Path, draft: Path) -> None:
    empty = tmp_path / "empty"
    Folder(empty).create("corner-shop", 2, 30, 0)
    result = run(empty, "rules", "try", str(draft))
    assert result.code == 0
    assert "these books have no rules or no tick yet" in result.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--sample", "none"], "--sample 'none'"),
        (["--sample", "0%"], "--sample '0%'"),
        (["--days", "0"], "--days"),
        (["--watch", "--json"], "--json is for a single try"),
    ],
)
def test_wrong_options_are_refused(read_only: Path, draft: Path, options: list[str], said: str) -> None:
    result = run(read_only, "rules", "try", str(draft), *options)
    assert result.code == 2
    assert said in result.err


def test_a_file_that_is_not_there_is_refused(read_only: Path, tmp_path: Path) -> None:
    for more in ([], ["--watch"]):
        result = run(read_only, "rules", "try", str(tmp_path / "none.yaml"), *more)
        assert result.code == 3
        assert "none.yaml: No such file or directory" in result.err


# ------------------------------------------------------------------------------------------------ the sample


def test_a_sample_is_some_of_the_members(read_only: Path, draft: Path) -> None:
    draft.write_text(RULES_2, encoding="utf-8")
    result = run(read_only, "rules", "try", str(draft), "--sample", "70%")
    assert "a sample of 1 member, about 70% of all" in result.out
    assert "1 member of 1 change" in result.out
    result = run(read_only, "rules", "try", str(draft), "--sample", "40%")
    assert result.code == 0
    assert "a sample of 0 members, about 40% of all\nthat is nobody: take a larger --sample\n" in result.out


def test_a_sample_that_is_too_large_is_refused(read_only: Path, draft: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(try_rules, "MAX_LINES_KEPT", 9)
    result = run(read_only, "rules", "try", str(draft), "--sample", "100%")
    assert result.code == 3
    assert "more than 9 facts" in result.err
    with pytest.raises(RescoreRefused, match="smaller --sample"):
        try_rules.read_sample(Folder(read_only), MILLION)


def test_of_large_books_some_partitions_are_read(read_only: Path, draft: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft.write_text(RULES_2, encoding="utf-8")
    whole = run(read_only, "rules", "try", str(draft), "--json").json()["changes"]
    monkeypatch.setattr(try_rules, "POSTINGS_READ", 1)
    changes = run(read_only, "rules", "try", str(draft), "--json").json()["changes"]
    assert 0 < changes["accounts"] < whole["accounts"] == 3
    assert 0 < changes["share"] < 1
    everybody = [*whole["winners"], *whole["losers"]]
    assert all(member in everybody for member in [*changes["winners"], *changes["losers"]])


@pytest.mark.parametrize(
    ("postings", "partitions", "share"),
    [
        ([10_000, 10_000], [0, 1], MILLION),
        ([60_000, 60_000], [0, 1], 250_000),
        ([100_000, 100_000, 50_000, 50_000], [0, 2], 100_000),
        ([300_000, 0, 300_000], [0], 50_000),
        ([0, 0], [0, 1], MILLION),
    ],
)
def test_by_default_no_more_is_read_than_is_quick(postings: list[int], partitions: list[int], share: int) -> None:
    cuts = [Cut(number, 1, count, "") for number, count in enumerate(postings)]
    chosen, selection, found = try_rules.drawn(cuts, 0)
    assert [cut.partition for cut in chosen] == partitions
    assert found == share
    read = sum(cut.postings for cut in chosen)
    assert selection.per_million * read <= try_rules.POSTINGS_DECIDED * MILLION or selection.is_everybody


# ------------------------------------------------------------------------------------------------ watching

Saves = Callable[[], object]


def in_turn(*saves: Saves) -> Callable[[], None]:
    """A `wait` that does one after the other, and then is Ctrl-C."""
    left: Iterator[Saves] = iter(saves)

    def wait() -> None:
        save = next(left, None)
        if save is None:
            raise KeyboardInterrupt
        save()

    return wait


def test_each_content_is_given_once(draft: Path) -> None:
    wait = in_turn(
        lambda: None,
        lambda: draft.write_bytes(b"two"),
        draft.unlink,
        lambda: draft.write_bytes(b"two"),
        lambda: draft.write_bytes(b"three"),
    )
    draft.write_bytes(b"one")
    contents = saved_contents(draft, wait)
    assert [next(contents), next(contents), next(contents)] == [b"one", b"two", b"three"]
    with pytest.raises(KeyboardInterrupt):
        next(contents)


def test_a_file_that_cannot_be_read_ends_the_watching(draft: Path) -> None:
    def make_a_folder() -> None:
        draft.unlink()
        draft.mkdir()

    contents = saved_contents(draft, in_turn(make_a_folder))
    assert next(contents) == draft.read_bytes()
    with pytest.raises(FolderRefused, match="directory"):
        next(contents)


def test_watching_shows_each_save_and_ends_with_ctrl_c(
    read_only: Path, draft: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    journal = FileLogReader.read_journal

    def counted(self: FileLogReader, partition: int, start: int = 0) -> Iterator[tuple[int, JournalPage]]:
        read.append(partition)
        return journal(self, partition, start)

    monkeypatch.setattr(FileLogReader, "read_journal", counted)
    wait = in_turn(
        lambda: draft.write_text(RULES_2.replace("per_minor: 100", "per_minor: 0"), encoding="utf-8"),
        lambda: draft.write_text(RULES_2, encoding="utf-8"),
    )
    monkeypatch.setattr(watch_file, "wait_a_moment", wait)
    result = run(read_only, "rules", "try", str(draft), "--watch")
    assert result.code == 0, result.err
    pages = result.out.split("-" * 120 + "\n")[1:]
    assert len(pages) == 3
    assert "nothing changes for 3 members" in pages[0]
    assert ":11: error: rules[base].per_minor" in pages[1]
    assert "of 3 change" in pages[2]
    assert "stopped watching" in result.err
    assert read == [0, 1, 2], "the books are read once"
