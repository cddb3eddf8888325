"""The pages of the documentation, and which of them have commands that are run, or only looked up."""

from pathlib import Path

from tests.house.fences import shell_blocks
from tests.house.tracked import read, tracked

PAGES = tracked(".md")


def pages_with(*, long: bool) -> list[Path]:
    """The pages that have shell blocks of this kind; a page that cannot be read counts, so that its test fails."""
    found = []
    for page in PAGES:
        try:
            has_some = any(block.is_long is long for block in shell_blocks(read(page)))
        except ValueError:
            has_some = True
        if has_some:
            found.append(page)
    return found
