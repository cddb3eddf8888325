"""The accounts of a partition, to be compared whole."""

from processors.decider.partition_machine import PartitionMachine
from tests.support.accounts_digest import accounts_digest


def balances_of(machine: PartitionMachine) -> dict[str, int]:
    """The balance of every member."""
    return {account.member_id: account.balance for account in machine.accounts}


def accounts_hash(machine: PartitionMachine) -> str:
    """The canonical hash of all accounts, as hex."""
    return accounts_digest(machine).hex()
