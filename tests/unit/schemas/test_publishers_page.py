"""The page for publishers says of fields and reasons what the door does, because both come from one place."""

import re
from pathlib import Path

import pytest

from schemas.facts import PUBLISHED_TYPES
from schemas.field_docs import REASONS, render_page
from schemas.pages import REJECT_REASONS


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs" / "publishers.md").read_text(encoding="utf-8")


def test_page_is_as_generated(page: str) -> None:
    assert render_page(page) == page, "run `python -m schemas.field_docs`"


def test_page_has_every_kind_field_and_reason(page: str) -> None:
    kinds = [kind.__name__ for kind in PUBLISHED_TYPES]
    assert sorted(re.findall(r"<!-- generated: ([\w ]+) -->", page)) == sorted([*kinds, "PurchaseLine", REASONS])
    for kind in PUBLISHED_TYPES:
        assert f"| `{kind.__name__}` |" in page
        assert all(f"| `{field}` |" in page for field in kind.__struct_fields__)
    assert all(f"| `{reason}` |" in page for reason in REJECT_REASONS)


def test_stale_section_is_made_anew() -> None:
    stale = "before\n<!-- generated: CheckedIn -->\n| old |\n<!-- end -->\nafter\n"
    fresh = render_page(stale)
    assert "old" not in fresh
    assert "| `member_id` | yes | text |" in fresh
    assert fresh.startswith("before\n")
    assert fresh.endswith("<!-- end -->\nafter\n")
    assert render_page(fresh) == fresh
