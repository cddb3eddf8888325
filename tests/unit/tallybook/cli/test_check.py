"""What `check` says before anything is sent: formats that are named, and the horizon of the books that are there."""

from pathlib import Path

import msgspec
import pytest

from schemas.facts import CheckedIn
from tests.support.command_line import run
from tests.support.small_folder import at

EVENTS = b"\n".join(
    msgspec.json.encode(CheckedIn("app", name, at(when), "ann"))
    for name, when in (("old", "2026-01-05T09:00:00Z"), ("new", "11-12T09:00"))
)


def test_check_knows_the_horizon_of_the_books(read_only: Path, tmp_path: Path) -> None:
    found = run(read_only, "check", "-", "--json", stdin=EVENTS).json()
    assert [(row["event_id"], row["reason"]) for row in found["refusals"]] == [("old", "too_old")]
    without = run(tmp_path, "check", "-", "--json", stdin=EVENTS).json()
    assert without["refused"] == 0


@pytest.mark.parametrize("command", ["check", "import"])
def test_a_format_may_be_said(folder: Path, tmp_path: Path, command: str) -> None:
    file = tmp_path / "dir2" / "events.log"
    file.parent.mkdir()
    file.write_bytes(b"# what an export says first\n" + EVENTS.splitlines()[1])
    told = run(folder, command, str(file))
    assert told.code == 3
    assert "dir2/events.log" in told.err.replace("\n", "")
    assert "--format" in told.err
    said = run(folder, command, "--format", "json-lines", str(file))
    assert said.code == 4, said.err


def test_an_empty_mapping_is_told_what_a_mapping_has(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_bytes(b"\n")
    (tmp_path / "a.csv").write_bytes(b"a\n1\n")
    result = run(folder, "check", str(tmp_path / "a.csv"), "--mapping", str(tmp_path / "m.yaml"))
    assert result.code == 3
    assert "type, source, fields" in result.err
