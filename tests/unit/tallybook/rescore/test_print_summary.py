"""What a run found, in words: what changes, for how many, what it costs, and what to type next."""

import pytest

from processors.replay.rescore.differences import MemberDifference
from tallybook.rescore.print_summary import print_summary
from tallybook.rescore.summary import RuleChange, Summary

FOUND = Summary(
    run="0007",
    draft="half",
    as_of=1_774_310_400_000,
    accounts=1_234,
    members=2,
    up=0,
    down=2,
    lines=3,
    points_down=1_500,
    balance_before=10_000,
    balance_after=8_500,
    is_proven=True,
    point_value="0.01 EUR",
    rules=[RuleChange("base", "direct", 3, 3_000, 1_500)],
    losers=[
        MemberDifference("anna lee", 0, 0, 2, 2_000, 1_000, 2_000, 1_000),
        MemberDifference("[bold]ben", 0, 0, 1, 1_000, 500, 1_000, 500),
    ],
)


def test_it_reads_like_a_plan(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(FOUND)
    out = capsys.readouterr().out
    assert "run 0007, draft half, as of 2026-03-24T00:00:00Z (the base is proven by its digest)" in out
    assert "2 members of 1,234 change" in out
    assert "2 have less (-1,500 points)" in out
    assert "liability 10,000 -> 8,500 points (-1,500, worth -15.00 EUR at 0.01 EUR a point)" in out
    assert "Who gains most" not in out
    assert "[bold]ben" in out
    assert "-5.00 EUR" in out


def test_what_to_type_next_can_be_typed(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(FOUND)
    out = capsys.readouterr().out
    assert "why: tallybook rescore why 0007 'anna lee' --draft half\n" in out
    assert "tallybook rescore export 0007 --draft half --csv --output differences.csv\n" in out


@pytest.mark.parametrize(
    ("is_proven", "is_sample", "said"),
    [
        (True, False, "(the base is proven by its digest)"),
        (False, True, "(a sample: the base is not proven)"),
        (False, False, "(the base is not proven)"),
    ],
)
def test_whether_the_base_is_proven_is_told(
    capsys: pytest.CaptureFixture[str], *, is_proven: bool, is_sample: bool, said: str
) -> None:
    print_summary(Summary("0001", "same", 0, 3, is_proven=is_proven, is_sample=is_sample))
    out = capsys.readouterr().out
    assert said in out
    assert "nothing changes for 3 members" in out
    assert "why:" not in out
