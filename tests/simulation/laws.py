"""What must hold whatever goes wrong: the laws that a simulated run is judged by at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from books.log import CommittedRounds
from schemas.facts import RefereePurchased
from tests.simulation.inputs import BytesInput, records_of
from tests.support.whole_books import every_record_once, pages_of, postings_of, reference_agrees, rejects_of, require

if TYPE_CHECKING:
    from tests.simulation.fold import Fold


def audit(log: CommittedRounds, fold: Fold, inputs: Sequence[BytesInput]) -> None:
    """All laws that the committed books alone can break."""
    _books_are_whole(log, fold)
    every_record_once(log, records_of(inputs))
    _what_is_owed_is_there(fold)
    for scorer, theirs in zip(fold.scorers, reference_agrees(log), strict=True):
        balances = {account.member_id: account.balance for account in scorer.machine.accounts}
        require(balances == theirs, "accounts have the balances of the books", partition=scorer.partition)


def _books_are_whole(log: CommittedRounds, fold: Fold) -> None:
    """Read from their beginning, the books hold what the fold has seen being committed, numbered without a gap."""
    for partition, written in enumerate(fold.written):
        pages = pages_of(log, partition)
        require([page.page for page in pages] == list(range(len(pages))), "pages have no gap", partition=partition)
        lines = [line for page in pages for line in page.lines]
        require(lines == [item.line for item in written], "the journal keeps what was committed", partition=partition)
        postings = postings_of(log, partition)
        numbers = [posting.number for posting in postings]
        require(numbers == list(range(1, len(numbers) + 1)), "postings have no gap", partition=partition)
        decided = [posting for item in written for posting in item.postings]
        require(postings == decided, "the ledger keeps what was committed", partition=partition)
    rejects = [reject.number for reject in rejects_of(log)]
    require(rejects == list(range(1, len(rejects) + 1)), "rejects have no gap")
    committed = log.committed()
    require(committed.rejects == len(rejects), "a commit counts the rejects")


def _what_is_owed_is_there(fold: Fold) -> None:
    owed = Counter(map(_key, fold.owed()))
    derived = Counter(map(_key, derived_in(fold)))
    require(owed == derived, "each owed fact is journalled once and none unowed", differing=_first(owed, derived))


def derived_in(fold: Fold) -> Iterator[RefereePurchased]:
    """The derived facts of the journal."""
    for written in fold.written:
        for item in written:
            if isinstance(item.line.fact, RefereePurchased):
                yield item.line.fact


def _key(fact: RefereePurchased) -> bytes:
    return msgspec.json.encode(fact)


def _first(owed: Counter[bytes], derived: Counter[bytes]) -> str:
    differing = sorted((owed - derived) + (derived - owed))
    return differing[0].decode() if differing else ""
