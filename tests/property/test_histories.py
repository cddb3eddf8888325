"""The decider and the reference ledger agree on every posting of many random histories (law 1, read twice)."""

from collections import Counter

from tests.property import histories

COUNT = 300  # `make histories` tells many more


def test_decider_and_reference_agree() -> None:
    seen: Counter[str] = Counter()
    wrong = next((seed for seed in range(1, COUNT + 1) if not histories.holds(seed, seen)), None)
    assert wrong is None, histories.report(wrong or 0)
    assert seen["postings"] > COUNT


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
