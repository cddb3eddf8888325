"""One process has one folder open at a time, and what was inserted is there when it is opened again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from projections.clickhouse.client import open_chdb
from projections.store import StoreHeld, StoreNotOpened

OPENS = """
import sys
from projections.clickhouse.client import open_chdb
from projections.store import StoreHeld
try:
    open_chdb(sys.argv[1]).close()
except StoreHeld as error:
    print(f"held by {error.holder}")
else:
    print("opened")
"""


def opened_by_another_process(folder: Path, repository: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", OPENS, str(folder)], capture_output=True, text=True, cwd=repository, check=True
    )
    return done.stdout.strip()


def test_one_process_holds_a_folder(tmp_path: Path, repository: Path) -> None:
    folder = tmp_path / "clickhouse"
    with open_chdb(folder):
        assert opened_by_another_process(folder, repository) == f"held by {os.getpid()}"
        with pytest.raises(StoreHeld, match="one process at a time"):
            open_chdb(folder)
    assert opened_by_another_process(folder, repository) == "opened"


def test_two_folders_in_one_process_are_refused_and_the_second_is_left_free(tmp_path: Path, repository: Path) -> None:
    with open_chdb(tmp_path / "one"), pytest.raises(StoreNotOpened, match="One process opens one folder"):
        open_chdb(tmp_path / "two")
    assert opened_by_another_process(tmp_path / "two", repository) == "opened"


def test_what_was_inserted_is_there_after_closing(tmp_path: Path) -> None:
    folder = tmp_path / "clickhouse"
    with open_chdb(folder) as store:
        store.command("CREATE DATABASE tallybook_rows")
        store.command("CREATE TABLE tallybook_rows.kept (x UInt8) ENGINE = ReplacingMergeTree ORDER BY x")
        store.insert("kept", {"x": [7]})
    with open_chdb(folder) as store:
        assert store.rows("SELECT x FROM tallybook_rows.kept") == [{"x": 7}]
