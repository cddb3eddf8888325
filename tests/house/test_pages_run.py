"""What a reader types along a page works: the commands of each page run, in order, from an empty folder."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.house.fences import Block, shell_blocks
from tests.house.known_commands import BIN, pages_with
from tests.house.tracked import read
from tests.support.processes import ended

pytestmark = pytest.mark.long

PAGE_TIMEOUT_SECONDS = 900
SHOWN_LINES = 40


def script_of(page_blocks: list[Block]) -> str:
    """One script for one terminal: what a block changes (folder, variables) holds for the next, as for a reader."""
    return "set -eu\n" + "".join(
        f"echo '@ block at line {block.line}' >&2\nset -x\n{block.script}{{ set +x; }} 2>/dev/null\n"
        for block in page_blocks
    )


def run_blocks(page_blocks: list[Block], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the blocks of one page in `folder`, with this environment's tools and a home of their own."""
    home = folder / "home"
    empty = folder / "empty"
    home.mkdir()
    empty.mkdir()
    shell = "bash" if any(block.language == "bash" for block in page_blocks) else "sh"
    env = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "HOME": str(home), "NO_COLOR": "1"}
    script = script_of(page_blocks)
    return ended(shell, "-c", script, cwd=empty, env=env, stderr=subprocess.STDOUT, timeout=PAGE_TIMEOUT_SECONDS)


@pytest.mark.parametrize("page", pages_with(long=False), ids=str)
def test_commands_of_a_page_run_in_order(page: Path, tmp_path: Path) -> None:
    result = run_blocks([block for block in shell_blocks(read(page)) if not block.is_long], tmp_path)
    tail = "\n".join(result.stdout.splitlines()[-SHOWN_LINES:])
    assert result.returncode == 0, f"{page}: a command ended with {result.returncode}:\n{tail}"


def test_a_broken_command_is_noticed_and_located(tmp_path: Path) -> None:
    page = [
        Block(3, "sh", "mkdir shop\ncd shop\n"),
        Block(9, "sh", "test -d ../shop\nfalse\n"),
        Block(20, "sh", "true\n"),
    ]
    result = run_blocks(page, tmp_path)
    assert result.returncode == 1
    assert "@ block at line 9" in result.stdout
    assert "@ block at line 20" not in result.stdout
    assert (tmp_path / "empty" / "shop").is_dir()
