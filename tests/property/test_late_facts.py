"""What differs in order is what the sorted facts make (see late_facts.py; `python -m tests.run late` tells more)."""

from collections import Counter

import pytest

from processors.decider.account import Account
from processors.replay.rescore.late import InOrder
from tests.property import late_facts

COUNT = 120


def test_what_differs_in_order_is_what_sorted_facts_make() -> None:
    seen: Counter[str] = Counter()
    for seed in range(1, COUNT + 1):
        late_facts.check(seed, seen)
    assert seen["without late facts"] > 0
    assert seen["members who would have more"] > 0
    assert seen["members who would have less"] > 0
