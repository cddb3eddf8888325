"""Keeps the accounts of a partition in memory: those used last as they are, all others packed into bytes."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from processors.decider.account import Account

# Accounts of one partition that are kept unpacked, the last ones that were asked for; each takes some kilobytes.
MAX_LIVE_ACCOUNTS: Final = 512
_LIVE: Final = b""

_encoder: Final = msgspec.msgpack.Encoder()
_unpack: Final = msgspec.msgpack.Decoder(Account).decode


def copy_of(account: Account) -> Account:
    """An account that is alike and shares nothing."""
    return _unpack(_encoder.encode(account))


class AccountStore:
    """The accounts of one partition, in the order in which they opened.

    `live` bounds how many are unpacked at a time; `before_packing` may tidy an account, changing no decision. An
    account that was changed must be `put` back before the next one is asked for; what was got and not put back may or
    may not keep its changes.
    """

    def __init__(
        self, before_packing: Callable[[Account], object] = lambda _: None, *, live: int = MAX_LIVE_ACCOUNTS
    ) -> None:
        self._before_packing = before_packing
        # Two generations, so that the accounts in use stay and no list of uses has to be kept in order.
        self._generation = max(1, live // 2)
        self._young: dict[str, Account] = {}
        self._old: dict[str, Account] = {}
        self._packed: dict[str, bytes] = {}
        self._buffer = bytearray()

    def get(self, member_id: str) -> Account | None:
        """The account of a member; None if it has none."""
        account = self._young.get(member_id)
        if account is not None:
            return account
        account = self._old.pop(member_id, None)
        if account is None:
            packed = self._packed.get(member_id)
            if packed is None:
                return None
            account = _unpack(packed)
            self._packed[member_id] = _LIVE
        self._keep(account)
        return account

    def put(self, account: Account) -> None:
        """Keep an account that is new or was changed."""
        member_id = account.member_id
        if self._young.get(member_id) is account:
            return
        self._old.pop(member_id, None)
        self._packed[member_id] = _LIVE
        self._keep(account)

    def members(self) -> Iterator[str]:
        """The ids of all members that have an account, in the order in which they opened."""
        return iter(self._packed)

    def packed(self) -> Iterator[bytes]:
        """All accounts in the order of `members`, packed."""
        for member_id, packed in self._packed.items():
            yield packed or self._packed_live(member_id)

    def restore(self, members: Iterable[str], packed: Iterable[bytes]) -> None:
        """Take these accounts in the place of all others."""
        self._young, self._old = {}, {}
        self._packed = dict(zip(members, packed, strict=True))

    def __len__(self) -> int:
        """How many members have an account."""
        return len(self._packed)

    def __iter__(self) -> Iterator[Account]:
        """All accounts in the order of `members`, to be read only."""
        for member_id, packed in self._packed.items():
            yield _unpack(packed) if packed else self._live(member_id)

    def _live(self, member_id: str) -> Account:
        return self._young.get(member_id) or self._old[member_id]

    def _packed_live(self, member_id: str) -> bytes:
        account = self._live(member_id)
        self._before_packing(account)
        # Into a buffer that is kept: bytes cut to size from a larger piece would leave holes in memory.
        _encoder.encode_into(account, self._buffer)
        return bytes(self._buffer)

    def _keep(self, account: Account) -> None:
        self._young[account.member_id] = account
        if len(self._young) >= self._generation:
            for member_id in self._old:
                self._packed[member_id] = self._packed_live(member_id)
            self._old, self._young = self._young, {}
