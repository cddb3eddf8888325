"""The line of arithmetic says what was counted, at what rate, how it was rounded, and what limits cut."""

import pytest

from schemas.posting import Factor, Reason, Working
from tallybook.explain.sentences import DETAILS, SENTENCES, arithmetic_line, sentence

TUESDAY = Factor("double-tuesday", "2", 1234)
SPENT = Working("base", 1234, "minor", "1/100", "24.68", 24, 20, factors=(TUESDAY,), limit_ids=("day",))


@pytest.mark.parametrize(
    ("working", "line"),
    [
        (SPENT, "1,234 minor × 1/100 × 2 (double-tuesday) = 24.68 → floor → 24, limit day cut 4 → 20 paid"),
        (Working("r", 1, "event", "50", "50", 50, 50), "1 event × 50 = 50 paid"),
        (Working("r", 3, "line", "2", "6", 6, 6), "3 lines × 2 = 6 paid"),
        (
            Working("r", 1500, "milli", "3/1000", "4.5", 5, 5, rounding="half_up"),
            "1,500 thousandths × 3/1000 = 4.5 → half_up → 5 paid",
        ),
        (
            Working("r", 900, "minor", "1/100", "11", 11, 11, factors=(Factor("vip", "1.5", 400),)),
            "900 minor × 1/100 × 1.5 (vip on 400 of them) = 11 paid",
        ),
    ],
)
def test_line(working: Working, line: str) -> None:
    assert arithmetic_line(working) == line


def test_each_limit_says_what_it_cut() -> None:
    line = arithmetic_line(SPENT, [("day", 3), ("month", 1)])
    assert line.endswith("→ 24, limit day cut 3, limit month cut 1 → 20 paid")


def test_stacking_other_than_multiply_is_named() -> None:
    working = Working("r", 1, "event", "10", "30", 30, 30, factors=(Factor("a", "2", 1), Factor("b", "3", 1)))
    assert arithmetic_line(working) == "1 event × 10 × 2 (a) × 3 (b) = 30 paid"
    assert arithmetic_line(working, stacking="best") == "1 event × 10 × best of 2 (a), 3 (b) = 30 paid"


def test_rounding_of_each_line_is_named() -> None:
    assert "→ floor per line → 24" in arithmetic_line(SPENT, per_line=True)


@pytest.mark.parametrize("reason", list(Reason), ids=str)
def test_every_reason_has_a_sentence_that_can_be_filled(reason: Reason) -> None:
    assert reason in SENTENCES
    said = sentence(reason, {})
    assert said != reason
    assert said.endswith(".")
    assert sentence(reason, {name: f"<{name}>" for name in DETAILS}).count("<") == SENTENCES[reason].count("{")
