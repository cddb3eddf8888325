"""What a supervised process says is passed on, whatever it says, so that its pipe never fills."""

import subprocess
import sys
from pathlib import Path

import pytest

from books.errors import FolderHeld, LockHolder
from books.files.disk import REAL_FILES
from books.files.lock import hold, note_of
from tallybook.stream import supervisor as supervising
from tallybook.stream.settings import load_settings, write_settings
from tallybook.stream.supervisor import UP_LOCK, Plan, supervise

# A stage that writes what is no text, and much of it, as a C library may; then it ends for good.
NOISY = """
import os
for _ in range(200):
    os.write(2, b"\\xff\\xfe" + b"x" * 1000 + b"\\n")
os.write(2, b"the end\\n")
raise SystemExit(3)
"""


def test_two_supervisors_of_a_folder_do_not_fight(tmp_path: Path) -> None:
    write_settings(tmp_path, load_settings(tmp_path, bootstrap="localhost:1", deployment="shop"))
    lock = hold(REAL_FILES, tmp_path, tmp_path / UP_LOCK)
    lock.write_note(note_of(LockHolder(4711, "elsewhere", 0, "tallybook up")))
    with pytest.raises(FolderHeld, match="process 4711 on elsewhere"):
        supervise(tmp_path, Plan(1, 0, 0, 0), metrics_port=0, as_json=False)
    lock.release()


def test_bytes_that_are_no_text_stop_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    write_settings(tmp_path, load_settings(tmp_path, bootstrap="localhost:1", deployment="shop"))
    monkeypatch.setattr(supervising, "_START", NOISY)
    monkeypatch.setattr(supervising, "MAX_REFUSALS", 1)
    with pytest.raises(SystemExit) as ended:
        supervise(tmp_path, Plan(1, 0, 0, 0), metrics_port=0, as_json=False)
    assert ended.value.code == 3
    assert "the end" in capfd.readouterr().err
    assert subprocess.run([sys.executable, "-c", NOISY], capture_output=True, check=False).returncode == 3
