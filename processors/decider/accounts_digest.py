"""Hashes all accounts of a partition, to compare the state of two machines."""

from hashlib import sha256
from typing import Final

import msgspec

from processors.decider.account import Account
from processors.decider.forgetting import drop_old
from processors.decider.partition_machine import PartitionMachine
from processors.decider.partition_state import Partition

_LENGTH_BYTES: Final = 8
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


def canonical_account(partition: Partition, account: Account) -> bytes:
    """An account as JSON with sorted keys, without what may be forgotten by now, and without when that is due.

    So it does not tell when the account was last tidied, whether it was packed, or in which order its keys came.
    `account` is not changed.
    """
    tidied = msgspec.structs.replace(account, forget_next_at=0)
    drop_old(partition, tidied)
    fields = msgspec.structs.asdict(tidied)
    fields["totals"] = {scope: sorted(kept.items()) for scope, kept in tidied.totals.items()}
    return _encode(fields)


def accounts_digest(machine: PartitionMachine) -> bytes:
    """SHA-256 (32 bytes) over the canonical form of every account, each behind its length, in order of member id bytes.

    Equal for a machine that never stopped, one restored from a snapshot and one recovered from the books.
    """
    digest = sha256()
    for member_id in sorted(machine.accounts.members()):  # UTF-8 keeps the order of code points
        form = canonical_account(machine.partition, machine.account(member_id))
        digest.update(len(form).to_bytes(_LENGTH_BYTES, "big"))
        digest.update(form)
    return digest.digest()
