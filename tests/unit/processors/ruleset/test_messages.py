"""Each wrong ruleset names the line that must be changed, says why, and says nothing of any other line."""

from pathlib import Path

import pytest

from processors.ruleset.parse import RulesetRefused, decode_ruleset, parse_ruleset

TESTS = Path(__file__).parents[3]
MARKER = "# <- here"
BAD = sorted((TESTS / "rulesets_bad").glob("*.yaml"))
WARNED = sorted((TESTS / "rulesets_warned").glob("*.yaml"))


def read(file: Path) -> tuple[str, str, set[int]]:
    """The text, the message that its first line promises, and the marked lines."""
    text = decode_ruleset(file.read_bytes(), file.name)
    lines = text.split("\n")
    assert lines[0].startswith("# ")
    return text, lines[0].removeprefix("# "), {n for n, line in enumerate(lines, start=1) if MARKER in line}


def test_there_are_enough() -> None:
    assert len(BAD) >= 30
    assert len(WARNED) >= 25


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_the_marked_line_is_refused_and_no_other(file: Path) -> None:
    text, fragment, marked = read(file)
    with pytest.raises(RulesetRefused) as refused:
        parse_ruleset(text, file.name)
    assert {error.line for error in refused.value.errors} == marked, str(refused.value)
    assert any(fragment in error.message or fragment in error.hint for error in refused.value.errors)
    assert all(error.hint and error.column >= 1 and error.file == file.name for error in refused.value.errors)
    assert str(refused.value).startswith(f"{file.name}:{min(marked)}:")


@pytest.mark.parametrize("file", WARNED, ids=lambda file: file.stem)
def test_the_marked_line_is_warned_of_and_no_other(file: Path) -> None:
    text, fragment, marked = read(file)
    _, warnings = parse_ruleset(text, file.name)
    assert {warning.line for warning in warnings} == marked, "\n".join(map(str, warnings))
    assert any(fragment in warning.message for warning in warnings)
    assert all(warning.hint for warning in warnings)
