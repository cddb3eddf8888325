"""A file is read whole: all its errors at once, whatever somebody has put into it."""

from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.ruleset.parse import MAX_ERRORS, RulesetRefused, decode_ruleset, parse_ruleset, ruleset_hash
from processors.ruleset.yaml_text import MAX_ANCHORS, MAX_BYTES, MAX_DEPTH
from processors.zones import zone_data, zone_names
from schemas.facts import RulesetPublished
from tallybook.rules.timeline import Publication
from tests.support.ruleset_documents import BASE, document, errors_of, parsed

SHIPPED = Path(__file__).parents[4] / "rulesets"
COFFEE = (SHIPPED / "coffee-chain" / "2026.1.yaml").read_text(encoding="utf-8")


def test_all_errors_are_told_at_once_in_the_order_of_the_file() -> None:
    text = (
        'programme: tried\nversion: "1"\ntimezone: Mars/Olympus\ncurrency: XXL\n'
        "limits:\n  - {id: daily, per: dya, points: 5}\n"
        "rules:\n  - {id: base, kind: spend, points: -1, per_minor: x, limits: [daily]}\n"
        "  - {id: double, kind: multplier, factor: 2}\n"
        "  - {id: more, kind: multiplier, factor: 2, applies_to: [base, double, nothing]}\n"
        "  - {id: fine, kind: fixed, on: review, points: 5, limits: [daily, weekly], when: {tender: cash}}\n"
        "examples:\n"
    )
    errors = errors_of(text)
    assert [(error.line, error.path) for error in errors] == [
        (3, "timezone"),
        (4, "currency"),
        (6, "limits[daily].per"),
        (8, "rules[base].points"),
        (8, "rules[base].per_minor"),
        (9, "rules[double].kind"),
        (10, "rules[more].applies_to[2]"),
        (11, "rules[fine].limits[1]"),
        (11, "rules[fine].when.tender"),
        (12, "examples"),
    ]


def test_the_number_of_errors_is_bounded() -> None:
    assert len(errors_of(document("  - {}\n" * 200))) == MAX_ERRORS


def test_aliases_save_writing() -> None:
    text = document(
        "  - {id: base, kind: spend, points: 1, per_minor: 100, active: &days {weekdays: [monday]}}\n"
        "  - {id: more, kind: fixed, on: purchase, points: 1, active: *days}\n"
    )
    first, second = parsed(text).rules
    assert first.active == second.active


def test_an_error_in_an_anchored_part_is_told_once() -> None:
    text = document(
        "  - {id: base, kind: spend, points: 1, per_minor: 100, active: &days {weekdays: [moonday]}}\n"
        "  - {id: more, kind: fixed, on: purchase, points: 1,\n     active: *days}\n"
    )
    assert [(error.line, error.path) for error in errors_of(text)] == [(6, "rules[base].active.weekdays[0]")]


def bomb(depth: int) -> str:
    """Lists of nine aliases to the list before: 9^depth texts."""
    lines = ["  - &a0 [x, x, x, x, x, x, x, x, x]\n"]
    lines += [f"  - &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, depth)]
    return "programme:\n" + "".join(lines)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        (bomb(12), "values"),
        ("rules: " + "[" * 5000, f"deeper than {MAX_DEPTH}"),
        ("rules: " + "{a: " * 5000, f"deeper than {MAX_DEPTH}"),
        ("programme: " + "x" * MAX_BYTES, "larger than"),
        ("".join(f"k{n}: &a{n} x\n" for n in range(MAX_ANCHORS + 2)), "anchors"),
        ("".join("k: x\n" for _ in range(5000)), "stands twice"),
        ("", "the file is empty"),
        ("# nothing but a comment\n", "the file is empty"),
        ("%YAML 9.9\n---\na: b\n", "incompatible YAML"),
        ("\ud800", "U+D800"),
    ],
    ids=["laughs", "lists", "mappings", "size", "anchors", "keys", "empty", "comment", "directive", "surrogate"],
)
def test_what_could_hurt_is_refused(text: str, fragment: str) -> None:
    assert any(fragment in error.message for error in errors_of(text))


def test_line_ends_and_byte_order_marks_change_nothing() -> None:
    text = document()
    assert parsed(text.replace("\n", "\r\n")) == parsed("\ufeff" + text) == parsed(text)


def test_a_file_must_be_utf_8() -> None:
    with pytest.raises(RulesetRefused, match=r"^latin\.yaml:2:5: byte 0xe9 is not UTF-8"):
        decode_ruleset("a: b\n# olé\n".encode("latin-1"), "latin.yaml")
    assert decode_ruleset("olé".encode(), "file") == "olé"


def test_the_hash_is_of_the_text_as_it_is() -> None:
    assert ruleset_hash("olé\n") == sha256("olé\n".encode()).hexdigest()
    assert ruleset_hash("olé\r\n") != ruleset_hash("olé\n")


def test_every_zone_of_the_pinned_package_can_be_published() -> None:
    assert len(zone_names()) > 500
    for name in ("Europe/Berlin", "America/New_York", "America/Argentina/Buenos_Aires", "UTC"):
        assert zone_data(name).startswith(b"TZif")
    for name in ("", ".", "..", "Europe", "../zones", "/etc/localtime", "europe/berlin", "zone.tab"):
        with pytest.raises(KeyError):
            zone_data(name)


@given(st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_ruleset_or_refused(text: str) -> None:
    lines = text.count("\n") + text.count("\r") + text.count("\x85") + text.count("\u2028") + text.count("\u2029") + 1
    errors = errors_of(text)
    assert errors
    assert all(1 <= error.line <= lines + 1 and error.message and error.hint for error in errors)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_damaged_programme_is_read_or_refused_never_more(data: st.DataObject) -> None:
    lines = COFFEE.split("\n")
    for _ in range(data.draw(st.integers(1, 3), "damages")):
        at = data.draw(st.integers(0, len(lines) - 1), "line")
        column = data.draw(st.integers(0, len(lines[at])), "column")
        what = data.draw(
            st.sampled_from(["", " ", "-", ":", "[", "}", '"', "&a ", "*a", "!!x ", "\t", "null", "é", "#"])
        )
        length = data.draw(st.integers(0, 8), "cut")
        lines[at] = lines[at][:column] + what + lines[at][column + length :]
    text = "\n".join(lines)
    errors = errors_of(text)
    assert all(1 <= error.line <= len(lines) + 1 and error.hint for error in errors)
    if not errors:
        ruleset, warnings = parse_ruleset(text, "damaged.yaml")
        assert ruleset.rules
        assert all(1 <= warning.line <= len(lines) for warning in warnings)


def test_base_is_a_sound_start() -> None:
    assert errors_of(document(BASE)) == []


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


def test_a_title_is_free_text_without_control_characters() -> None:
    text = (SHIPPED / "starter" / "1.yaml").read_text(encoding="utf-8")
    titled = text + 'title: "Kaffeeklub 咖啡俱乐部 ☕"\n'
    assert parse_ruleset(titled, "1.yaml")[0].title == "Kaffeeklub 咖啡俱乐部 ☕"
    assert Publication(RulesetPublished("1", "", 0, 1, titled, "UTC", b""), 0).title == "Kaffeeklub 咖啡俱乐部 ☕"
    assert Publication(RulesetPublished("1", "", 0, 1, text, "UTC", b""), 0).row()["title"] == ""
    (error,) = errors_of(text + 'title: "two\\nlines"\n')
    assert error.path == "title"
