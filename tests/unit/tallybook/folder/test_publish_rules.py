"""A ruleset is published once per version, in every partition, and never before what is scored."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from processors.embedded.rounds import Rounds
from processors.ruleset.parse import RulesetRefused, parse_ruleset
from schemas.bounds import EARLIEST_AT
from schemas.facts import RulesetPublished
from tallybook.folder.folder import Folder
from tallybook.folder.publish_rules import (
    PublicationRefused,
    ensure_published,
    newest_ruleset,
    publish_ruleset,
    read_effective_from,
    version_order,
)
from tallybook.folder.session import writing_session
from tallybook.rules.publish import publish_file
from tallybook.rules.timeline import timeline_of
from tests.support.small_folder import OPENED_AT, PARTITIONS, RULES, RULES_2, at
from tests.support.whole_books import lines_of

LAST_TICK = at("11-15T00:00")
DECEMBER = at("12-01T00:00")


@contextmanager
def rounds_of(folder: Folder) -> Iterator[Rounds]:
    with writing_session(folder, OPENED_AT) as session:
        yield session.rounds


def empty_folder(root: Path, **rulesets: str) -> Folder:
    """A folder without facts, with these texts in `rulesets/shop/NAME.yaml`."""
    folder = Folder(root)
    folder.create("shop", PARTITIONS, 30, OPENED_AT)
    (folder.rulesets / "shop").mkdir()
    for name, text in rulesets.items():
        (folder.rulesets / "shop" / f"{name.removeprefix('v')}.yaml").write_text(text, encoding="utf-8")
    return folder


def test_first_rules_of_empty_books_hold_from_2000(tmp_path: Path) -> None:
    with rounds_of(empty_folder(tmp_path, v1=RULES)) as rounds:
        published = ensure_published(rounds, Folder(tmp_path), DECEMBER)
        assert published is not None
        assert published.effective_from == EARLIEST_AT
        assert ensure_published(rounds, Folder(tmp_path), DECEMBER) is None


def test_publication_stands_in_every_partition(folder: Path) -> None:
    file = folder / "rulesets" / "corner-shop" / "2.yaml"
    file.write_text(RULES_2, encoding="utf-8")
    assert publish_file(Folder(folder), file, "2026-12-01", DECEMBER) is not None
    with Folder(folder).reading() as log:
        for partition in range(PARTITIONS):
            facts = [line.fact for line in lines_of(log, partition)]
            assert [fact.version for fact in facts if isinstance(fact, RulesetPublished)] == ["1", "2"]
    assert [each.fact.effective_from for each in timeline_of(Folder(folder))] == [EARLIEST_AT, at("11-30T23:00")]


@pytest.mark.parametrize(("now", "begins"), [(DECEMBER, DECEMBER), (LAST_TICK - 1, LAST_TICK)])
def test_later_rules_hold_from_now_but_not_before_the_last_tick(folder: Path, now: int, begins: int) -> None:
    ruleset, _ = parse_ruleset(RULES_2, "2.yaml")
    with rounds_of(Folder(folder)) as rounds:
        published = publish_ruleset(rounds, RULES_2, ruleset, effective_from=None, now=now)
    assert published is not None
    assert published.effective_from == begins


def test_rules_cannot_take_effect_before_the_last_tick(folder: Path) -> None:
    ruleset, _ = parse_ruleset(RULES_2, "2.yaml")
    with rounds_of(Folder(folder)) as rounds, pytest.raises(PublicationRefused, match="2026-11-15T00:00:00Z is scored"):
        publish_ruleset(rounds, RULES_2, ruleset, effective_from=LAST_TICK - 1, now=DECEMBER)
    assert len(timeline_of(Folder(folder))) == 1


def test_the_same_ruleset_is_not_published_twice(folder: Path) -> None:
    ruleset, _ = parse_ruleset(RULES, "1.yaml")
    with rounds_of(Folder(folder)) as rounds:
        assert publish_ruleset(rounds, RULES, ruleset, effective_from=DECEMBER, now=DECEMBER) is None


def test_an_earlier_version_can_come_back(folder: Path) -> None:
    one, _ = parse_ruleset(RULES, "1.yaml")
    two, _ = parse_ruleset(RULES_2, "2.yaml")
    with rounds_of(Folder(folder)) as rounds:
        assert publish_ruleset(rounds, RULES_2, two, effective_from=DECEMBER, now=DECEMBER) is not None
        assert publish_ruleset(rounds, RULES, one, effective_from=DECEMBER + 1, now=DECEMBER) is not None


def test_published_version_with_another_text_is_refused(folder: Path) -> None:
    text = RULES + "# a word more\n"
    ruleset, _ = parse_ruleset(text, "1.yaml")
    with rounds_of(Folder(folder)) as rounds, pytest.raises(PublicationRefused, match="never changes"):
        publish_ruleset(rounds, text, ruleset, effective_from=DECEMBER, now=DECEMBER)


def test_another_programme_is_refused(folder: Path) -> None:
    text = RULES_2.replace("corner-shop", "flower-shop")
    ruleset, _ = parse_ruleset(text, "2.yaml")
    with rounds_of(Folder(folder)) as rounds, pytest.raises(PublicationRefused, match="a folder holds one programme"):
        publish_ruleset(rounds, text, ruleset, effective_from=DECEMBER, now=DECEMBER)


@pytest.mark.parametrize("text", [RULES + "# edited\n", "programme: [broken"])
def test_import_refuses_an_edited_published_file_by_name(folder: Path, text: str) -> None:
    (folder / "rulesets" / "corner-shop" / "1.yaml").write_text(text, encoding="utf-8")
    with rounds_of(Folder(folder)) as rounds, pytest.raises(PublicationRefused, match=r"corner-shop/1\.yaml is not"):
        ensure_published(rounds, Folder(folder), DECEMBER)


def test_a_draft_does_not_disturb_an_import(folder: Path) -> None:
    (folder / "rulesets" / "corner-shop" / "2.yaml").write_text("programme: [broken", encoding="utf-8")
    (folder / "rulesets" / "corner-shop" / "3.yaml").write_text(RULES_2, encoding="utf-8")
    with rounds_of(Folder(folder)) as rounds:
        assert ensure_published(rounds, Folder(folder), DECEMBER) is None


def test_newest_version_counts_as_people_count(tmp_path: Path) -> None:
    folder = empty_folder(tmp_path)
    for version in ("2026.9", "2026.10", "2025.12"):
        text = RULES.replace('"1"', f'"{version}"')
        (folder.rulesets / "shop" / f"{version}.yaml").write_text(text, encoding="utf-8")
    assert newest_ruleset(folder).stem == "2026.10"
    assert sorted(["b", "1.10", "1.9", "1"], key=version_order) == ["b", "1", "1.9", "1.10"]


def test_folder_without_rules_or_with_several_programmes_is_refused(tmp_path: Path) -> None:
    folder = empty_folder(tmp_path)
    with rounds_of(folder) as rounds:
        with pytest.raises(PublicationRefused, match="holds no ruleset"):
            ensure_published(rounds, folder, DECEMBER)
        for programme in ("one", "two"):
            (folder.rulesets / programme).mkdir()
            (folder.rulesets / programme / "1.yaml").write_text(RULES, encoding="utf-8")
        with pytest.raises(PublicationRefused, match="several programmes"):
            ensure_published(rounds, folder, DECEMBER)


def test_broken_rules_are_refused_with_their_line(tmp_path: Path) -> None:
    folder = empty_folder(tmp_path, v1=RULES.replace("kind: spend", "kind: spent"))
    with rounds_of(folder) as rounds, pytest.raises(RulesetRefused, match=r"1\.yaml:11"):
        ensure_published(rounds, folder, DECEMBER)


@pytest.mark.parametrize(
    ("typed", "instant"),
    [
        ("2026-12-01", "2026-11-30T23:00:00Z"),
        ("2026-07-01", "2026-06-30T22:00:00Z"),
        ("2026-12-01T06:00", "2026-12-01T05:00:00Z"),
        ("2026-03-29T02:30", "2026-03-29T01:00:00Z"),  # skipped by the clock change: the next instant that exists
        ("2026-12-01T06:00:00+05:00", "2026-12-01T01:00:00Z"),
    ],
)
def test_effective_from_is_read_on_the_programmes_clock(typed: str, instant: str) -> None:
    assert read_effective_from(typed, "Europe/Berlin") == at(instant)


@pytest.mark.parametrize("typed", ["tomorrow", "2026-13-01", "2026-12-01T25:00", "01.12.2026", ""])
def test_effective_from_that_is_no_time_is_refused(typed: str) -> None:
    with pytest.raises(PublicationRefused, match="2026-12-01"):
        read_effective_from(typed, "Europe/Berlin")
