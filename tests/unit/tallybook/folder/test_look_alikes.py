"""Members whose ids look alike are told before their points lie in two accounts."""

from pathlib import Path

import pytest

from tallybook.folder.look_alikes import look_alikes, plain_id
from tests.support.command_line import run
from tests.support.fact_samples import CHECK_IN, json_of

ALIKE = [
    ("anna", "ANNA", "\uff41\uff4e\uff4e\uff41", " anna", "an\u200bna", "'anna", '="anna"', "anna\ufe0f"),
    ("a.smith@mail.com", "A.Smith@Mail.com"),
    ("Jos\u00e9", "Jose\u0301"),
    ("STRASSE", "straße"),
    ("00008800", "8800"),
    ("+8613900001111", "8613900001111", "008613900001111", "139-0000-1111", "139 0000 1111", "13900001111"),
    ("+49 170 1234567", "0049 170 1234567", "0170 1234567", "(0170) 123-4567"),
    ("+1 212-555-0123", "(212) 555-0123", "212.555.0123", "1 212 555 0123"),
]


@pytest.mark.parametrize("group", ALIKE)
def test_ids_that_look_alike_are_told(group: tuple[str, ...]) -> None:
    assert len(set(map(plain_id, group))) == 1
    (told,) = look_alikes(group[:2])
    assert told.startswith("members look alike")


def test_ids_that_differ_otherwise_are_not_told() -> None:
    members = ["anna", "annb", "ännä", "8800", "88001", "1-2", "12", "2026-11-01", "20261101", "a07", "a7"]
    assert look_alikes(members) == []


def test_only_some_examples_are_named() -> None:
    (told,) = look_alikes(f"{number:0{width}}" for number in range(1, 31) for width in (1, 8))
    assert told.count(" and '") == 3
    assert "and 27 more" in told


def test_check_warns_of_members_that_look_alike(folder: Path, tmp_path: Path) -> None:
    ids = ("Anna@mail.com", "anna@mail.com", "bob")
    lines = [json_of(CHECK_IN, event_id=f"l-{number}", member_id=one) for number, one in enumerate(ids)]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    told = run(folder, "check", str(tmp_path / "a.jsonl"))
    assert "'Anna@mail.com' and 'anna@mail.com'. If each of these is one person" in " ".join(told.out.split())
