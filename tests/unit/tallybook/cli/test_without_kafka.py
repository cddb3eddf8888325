"""An installation for files alone works as ever, and says what running on Kafka would need."""

import subprocess
import sys
from pathlib import Path

import pytest

from tallybook.cli.main import STREAM_LIBRARIES

PROGRAM = """
import sys
for name in {names!r}:
    sys.modules[name] = None
sys.argv = ["tallybook", *{words!r}]
from tallybook.cli.main import main
main()
"""


def without_kafka(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command where none of the stream's libraries is installed."""
    program = PROGRAM.format(names=sorted(STREAM_LIBRARIES), words=["-C", str(folder), *words])
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("words", [("--help",), ("topics", "--help"), ("up", "--help"), ("example", "purchase")])
def test_what_needs_no_kafka_works(tmp_path: Path, words: tuple[str, ...]) -> None:
    result = without_kafka(tmp_path, *words)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    "words",
    [("topics", "create", "--bootstrap", "localhost:1", "--deployment", "shop"), ("up",), ("intake",), ("score",)],
)
def test_what_needs_kafka_says_what_to_install(tmp_path: Path, words: tuple[str, ...]) -> None:
    result = without_kafka(tmp_path, *words)
    assert result.returncode == 3
    assert "pip install 'tallybook[stream]'" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_folder_of_books_is_used_without_kafka(tmp_path: Path) -> None:
    assert without_kafka(tmp_path, "init", str(tmp_path / "shop")).returncode == 0
    result = without_kafka(tmp_path / "shop", "verify")
    assert result.returncode == 0, result.stderr
