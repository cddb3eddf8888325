"""Every scenario holds, for the decider and for the reference ledger: what a manager reads is what members get."""

from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.facts import JournalOpened
from tests.scenarios.reading import read_scenario
from tests.scenarios.telling import Telling, differences
from tests.support.deciders import Feed, decider_feed, reference_feed

FOLDER = Path(__file__).parent
FILES = sorted(FOLDER.glob("*.txt"))
LEAST_SCENARIOS = 55


@pytest.mark.parametrize("start", [decider_feed, reference_feed], ids=["decider", "reference"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_scenario(path: Path, start: Callable[[JournalOpened], Feed]) -> None:
    scenario = read_scenario(path)
    telling = Telling(scenario, start)
    for row in scenario.rows:
        wrong = differences(scenario, row, telling.row(row))
        assert not wrong, f"{path.name}:{row.number} ({scenario.title})\n" + "\n".join(wrong)


def test_there_are_scenarios_enough() -> None:
    assert len(FILES) >= LEAST_SCENARIOS


def test_a_wrong_expectation_is_noticed() -> None:
    scenario = read_scenario(FOLDER / "points-per-euro.txt")
    telling = Telling(scenario, decider_feed)
    row = scenario.rows[0]
    row.expected[0] = type(row.expected[0])(row.who, "", "+1 nobody; late; balance 7; zero_points")
    assert len(differences(scenario, row, telling.row(row))) == 4
