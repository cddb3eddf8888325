"""Every reader answers while another process holds the tables, if that serves them, and says who answered."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from projections.store import Address
from tallybook.exit_codes import Exit
from tests.support.command_line import Ran, run
from tests.support.holding import holding

READERS = {
    "balance": ("balance", "ben", "--json"),
    "balance of nobody": ("balance", "bem", "--json"),
    "statement": ("statement", "anna", "--limit", "3"),
    "leaderboard": ("leaderboard", "--period", "month"),
    "members": ("members", "--json"),
    "audit": ("audit",),
    "sql": ("sql", "SELECT * FROM ledger ORDER BY ALL", "--csv"),
    "sql table": ("sql", "SELECT * FROM balances ORDER BY member_id"),
    "sql parquet": ("sql", "SELECT * FROM statement ORDER BY ALL", "--parquet"),
    "sql refused": ("sql", "SELECT * FROM file('/etc/passwd')"),
    "sql mistaken": ("sql", "SELECT nothing_of_this_name FROM balances"),
    "explain": ("explain", "p-early", "--json"),
    "explain a member": ("explain", "--member", "anna", "--json"),
    "rejects": ("rejects", "list", "--json"),
}


@pytest.fixture(scope="module")
def own(read_only: Path) -> dict[str, Ran]:
    """What every reader says when it opens the tables itself."""
    return {name: run(read_only, *arguments) for name, arguments in READERS.items()}


@pytest.fixture(scope="module")
def address(read_only: Path, own: dict[str, Ran]) -> Iterator[Address]:
    assert own  # asked before the tables are held
    with holding(read_only, serves=True) as address:
        assert address is not None
        yield address


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_is_answered_by_the_process_that_holds_the_tables(
    read_only: Path, own: dict[str, Ran], address: Address, reader: str
) -> None:
    expected, found = own[reader], run(read_only, *READERS[reader])
    assert (found.stdout, found.code) == (expected.stdout, expected.code)
    said = [line for line in found.err.splitlines() if str(address.pid) in line]
    reads_tables = READERS[reader][0] not in {"explain", "rejects"}
    assert said == [
        f"process {address.pid} has the tables open and answers, as of 2026-11-15T00:00:00Z"
        for _ in range(reads_tables)
    ]
    assert [line for line in found.err.splitlines() if line not in said] == expected.err.splitlines()


def test_the_status_says_where_and_never_the_token(read_only: Path, address: Address) -> None:
    found = run(read_only, "status", "--json")
    assert f"127.0.0.1:{address.port}, by process {address.pid}" in found.json()["served"]
    assert found.json()["tables"] == "up to date"
    assert address.token not in found.out + found.err


def test_the_address_is_all_that_a_client_needs(read_only: Path, address: Address) -> None:
    found = run(read_only, "address", "--json").json()
    assert found == {
        "host": "127.0.0.1",
        "port": address.port,
        "user": "reader",
        "token": address.token,
        "pid": address.pid,
    }
    said = run(read_only, "address").out
    assert f"curl --user reader:{address.token} http://127.0.0.1:{address.port} --data 'SHOW TABLES'" in said


def test_tables_that_are_held_and_not_served_are_told_as_such(folder: Path) -> None:
    with holding(folder, serves=False):
        for arguments in (("balance", "ben"), ("audit",), ("sql", "SELECT 1")):
            held = run(folder, *arguments)
            assert held.code == Exit.HELD
            assert "one process at a time" in held.err
        found = run(folder, "status", "--json").json()
        assert "does not serve them" in found["tables"]
        assert found["served"] is None
        refused = run(folder, "address")
        assert refused.code == Exit.REFUSED
        assert "does not serve them" in refused.err


def test_an_address_that_nobody_serves_is_refused_with_what_to_do(folder: Path) -> None:
    refused = run(folder, "address")
    assert refused.code == Exit.REFUSED
    assert "tallybook run --follow" in refused.err
    assert run(folder, "status", "--json").json()["served"] is None
