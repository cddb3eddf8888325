"""The canonical hash of all accounts of a partition."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import msgspec

from processors.decider.account import Account
from processors.decider.machine import PartitionMachine

_encoder: Final = msgspec.msgpack.Encoder(order="deterministic")


def accounts_of(machine: PartitionMachine) -> list[Account]:
    """All accounts, by member."""
    found = machine.accounts.values() if isinstance(machine.accounts, dict) else machine.accounts
    return sorted(found, key=lambda account: account.member_id)


def accounts_hash(machine: PartitionMachine) -> str:
    """SHA-256 (hex) over the accounts by member, each field's mappings in the order of their keys."""
    return sha256(_encoder.encode(accounts_of(machine))).hexdigest()
