"""Prints which documented commands the tests did not run, so that an exception is always seen."""

import pytest

from tests.house.fences import FenceError, commands, shell_blocks
from tests.house.tracked import read, tracked


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the blocks marked `long`, with the reason that each gives."""
    lines = []
    for page in tracked(".md"):
        try:
            found = shell_blocks(read(page))
        except FenceError as error:  # the page's own test fails and says where
            lines.append(f"{page}: {error}")
            continue
        lines += [
            f"{page}:{block.line}: {'; '.join(' '.join(words) for words in commands(block.script))}"
            + (f" ({block.why_long})" if block.why_long else "")
            for block in found
            if block.is_long
        ]
    if lines:
        terminalreporter.section("documented commands that exist but were not run (long)")
        for line in lines:
            terminalreporter.write_line(line)
