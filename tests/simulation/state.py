"""The canonical hash of all accounts of a partition."""

from __future__ import annotations

from processors.decider.account import Account
from processors.decider.accounts_digest import accounts_digest
from processors.decider.machine import PartitionMachine


def accounts_of(machine: PartitionMachine) -> list[Account]:
    """All accounts, by member."""
    return sorted(machine.accounts, key=lambda account: account.member_id)


def accounts_hash(machine: PartitionMachine) -> str:
    """SHA-256 (hex) over the accounts by member, without what may be forgotten by now."""
    return accounts_digest(machine).hex()
