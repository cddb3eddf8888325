"""The decision records have one number each, the index lists them all, and whoever names a record finds it."""

import re
from pathlib import Path

import pytest

from tests.house.tracked import read, tracked

FOLDER = Path("docs/decisions")
RECORD = re.compile(r"(\d{4})-[a-z0-9-]+\.md")
TEXTS = (".md", ".py", ".sql", ".toml", ".yml", ".yaml", ".sh")

# How a record is named: "decision 0003" or its file's name anywhere, and "(0003)" in another record.
NAMED_ANYWHERE = re.compile(r"\bdecisions?(?:\s+record)?\s+(\d{4})\b|\b(\d{4}-[a-z][a-z0-9-]*\.md)\b", re.IGNORECASE)
NAMED_IN_A_RECORD = re.compile(r"\((\d{4})\)")


def records() -> list[Path]:
    return [path for path in tracked(".md") if path.parent == FOLDER and path.name != "README.md"]


def unresolved(text: str, *, in_a_record: bool) -> list[str]:
    """The numbers and file names of records that `text` names and that do not exist."""
    names = {path.name for path in records()}
    numbers = {name[:4] for name in names}
    found = [number or name for number, name in NAMED_ANYWHERE.findall(text)]
    if in_a_record:
        found += NAMED_IN_A_RECORD.findall(text)
    return [name for name in found if name not in names | numbers]


def test_numbers_are_given_once_and_without_gaps() -> None:
    numbers = [int(found[1]) for path in records() if (found := RECORD.fullmatch(path.name))]
    assert len(numbers) == len(records())
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("path", records(), ids=lambda path: path.stem)
def test_a_record_begins_with_its_number(path: Path) -> None:
    assert read(path).startswith(f"# {path.name[:4]}: ")


def test_the_index_lists_every_record_under_its_title() -> None:
    titles = [read(path).splitlines()[0].removeprefix("# ") for path in records()]
    expected = [f"* [{title}]({path.name})" for title, path in zip(titles, records(), strict=True)]
    assert [line for line in read(FOLDER / "README.md").splitlines() if line.startswith("* ")] == expected


def test_every_record_that_is_named_exists() -> None:
    wrong = {
        str(path): missing
        for path in tracked(*TEXTS)
        if path != Path("tests/house/test_decisions.py")
        and (missing := unresolved(read(path), in_a_record=path.parent == FOLDER))
    }
    assert wrong == {}


@pytest.mark.parametrize("text", ["as decision 9999 says", "[see](decisions/9999-nowhere.md)", "as before (9999)."])
def test_a_record_that_does_not_exist_is_noticed(text: str) -> None:
    assert len(unresolved(text, in_a_record=True)) == 1
    assert unresolved(text.replace("9999-nowhere", "0001-two-books").replace("9999", "0001"), in_a_record=True) == []
