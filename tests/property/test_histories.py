"""The decider and the reference ledger agree on every posting of many random histories (law 1, read twice)."""

import os
from collections import Counter

import pytest

from tests import histories

# A run of `make test` tells 10,000 by the command; here are a few, so that `pytest` alone notices a difference too.
COUNT = int(os.environ.get("TALLYBOOK_HISTORIES", "300"))
FIRST_SEED = 1


def test_decider_and_reference_agree(capsys: pytest.CaptureFixture[str]) -> None:
    seen: Counter[str] = Counter()
    for seeds in histories.chunks(FIRST_SEED, COUNT):
        shown, wrong = histories.run_chunk(seeds)
        seen += shown
        assert wrong is None, histories.report(wrong)
    with capsys.disabled():
        print(f"\n{histories.table(seen)}")  # noqa: T201 a reader of the test run wants to see what was covered
    if histories.LEAST_OCCURRENCES_FROM <= COUNT:
        assert not histories.too_rare(seen)


def test_a_history_is_the_same_whenever_it_is_made() -> None:
    histories.setting_of.cache_clear()
    first = histories.history_of(77)
    histories.setting_of.cache_clear()
    assert histories.history_of(77) == first


def test_a_wrong_history_is_shrunk_to_the_facts_that_matter() -> None:
    history = histories.history_of(5)
    wanted = history.items[len(history.items) // 2]

    def is_wrong(shorter: histories.History) -> bool:
        return wanted in shorter.items

    assert histories.shrunk(history, is_wrong).items == (history.items[0], wanted)
