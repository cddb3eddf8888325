"""Two drafts side by side: of one run or of two, and what cannot be compared."""

from pathlib import Path

import pytest

from tallybook.folder.folder import Folder
from tallybook.rescore.compare_drafts import MOST_NAMED, MemberApart, compare_drafts
from tallybook.rescore.plan import RescoreRefused
from tallybook.rescore.runs import Runs
from tests.support.command_line import run
from tests.support.rescore_runs import draft, line, member, plan, write_run

LINES = {"half": [line("ann", 100, 50), line("bob", 40, 20)], "none": [line("ann", 100, 0), line("cat", 8, 0)]}
MEMBERS = {
    "half": [member("ann", 100, 50), member("bob", 40, 20)],
    "none": [member("ann", 100, 0), member("cat", 8, 0)],
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_run(tmp_path, plan(draft("half"), draft("none")), LINES, MEMBERS)
    return tmp_path


def test_members_whom_the_drafts_change_differently_are_told_the_furthest_apart_first(root: Path) -> None:
    found = compare_drafts(Runs(Folder(root)), "1:half", "1:none")
    assert (found.first.points_down, found.second.points_down) == (70, 108)
    assert found.apart == 3
    assert found.most == [MemberApart("ann", -50, -100), MemberApart("bob", -20, 0), MemberApart("cat", 0, -8)]


def test_a_draft_beside_itself_is_the_same(root: Path) -> None:
    found = compare_drafts(Runs(Folder(root)), "last", "1:half")
    assert (found.apart, found.most, found.first) == (0, [], found.second)
    done = run(root, "rescore", "compare", "1:half", "0001:half")
    assert done.code == 0
    assert "every member has the same balance under both" in done.out


def test_it_is_printed_side_by_side(root: Path) -> None:
    done = run(root, "rescore", "compare", "1", "1:none")
    assert done.code == 0
    said = [" ".join(text.split()) for text in done.out.splitlines()]
    assert "0001:half 0001:none" in said
    assert "points less 70 108" in said
    assert "worth -0.70 EUR -1.08 EUR" in said
    assert "base -70 -108" in said
    assert "ann -50 -100 -50" in said


def test_two_runs_over_the_same_books_are_compared(root: Path) -> None:
    write_run(root, plan(draft("other")), {"other": [line("ann", 100, 90)]}, {"other": [member("ann", 100, 90)]})
    found = compare_drafts(Runs(Folder(root)), "1:half", "2")
    assert found.most == [MemberApart("ann", -50, -10), MemberApart("bob", -20, 0)]


def test_few_members_are_named(tmp_path: Path) -> None:
    many = [member(f"m{number:03}", 100, 100 - number) for number in range(3 * MOST_NAMED)]
    write_run(tmp_path, plan(draft("half"), draft("none")), {}, {"half": many, "none": []})
    found = compare_drafts(Runs(Folder(tmp_path)), "1:half", "1:none")
    assert found.apart == 3 * MOST_NAMED - 1
    assert [each.second - each.first for each in found.most] == list(range(29, 19, -1))


def test_what_cannot_be_compared_is_refused(root: Path) -> None:
    write_run(root, plan(draft("other"), partitions=2), {}, {})
    write_run(root, plan(draft("open")), {}, {}, is_finished=False)
    runs = Runs(Folder(root))
    for second, said in (
        ("2", "up to other places"),
        ("3", "not finished"),
        ("1:nope", "has no draft 'nope'; it has: half, none"),
        ("9", "there is no re-scoring 9"),
    ):
        with pytest.raises(RescoreRefused, match=said):
            compare_drafts(runs, "1:half", second)
