"""Every re-scoring holds: what a manager reads is what a draft changes, in one pass and in two runs of the whole."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from processors.decider.partition_machine import PartitionMachine
from processors.replay.rescore.differences import LineDifference, MemberDifference
from processors.replay.rescore.two_worlds import TwoWorlds
from schemas.canonical import EMPTY_DIGEST, next_ledger_digest
from schemas.facts import JournalOpened, RulesetPublished
from schemas.pages import Folio, JournalLine
from schemas.posting import Posting, RuleLayer, RuleSpan
from tests.scenarios.reading import Scenario, read_scenario
from tests.scenarios.rescoring.changes import wrong_in
from tests.scenarios.telling import Telling, differences
from tests.support.deciders import Feed, decider_feed, load, published, reference_feed

FILES = sorted((Path(__file__).parent / "rescoring").glob("*.txt"))
LEAST_SCENARIOS = 14


class Journal:
    """A scenario's journal: every line that it told to the decider, in order."""

    def __init__(self, scenario: Scenario) -> None:
        self.lines: list[JournalLine] = []
        self.wrong: list[str] = []
        telling = Telling(scenario, self._start)
        for row in scenario.rows:
            self.wrong += [f"row {row.number}: {each}" for each in differences(scenario, row, telling.row(row))]
        published_before = sum(isinstance(line.fact, RulesetPublished) for line in self.lines)
        over = {published_before if span.over is None else span.over for span in scenario.spans}
        self.layers = (RuleLayer(over.pop(), tuple(_span(scenario, place) for place in range(len(scenario.spans)))),)
        assert not over, "the spans of one layer lie over the same rulesets"

    def _start(self, opened: JournalOpened) -> Feed:
        self.opened = opened
        feed = decider_feed(opened)

        def note(line: JournalLine) -> list[Posting]:
            self.lines.append(line)
            return feed(line)

        return note


def _span(scenario: Scenario, place: int) -> RuleSpan:
    span = scenario.spans[place]
    from_at = scenario.instant(span.version.effective_from)
    text = published(span.version.text, scenario.zone, version=span.version.name, effective_from=from_at)
    return RuleSpan(from_at, text, scenario.instant(span.until) if span.until else None)


def whole_run(journal: Journal, layers: Sequence[RuleLayer]) -> tuple[bytes, PartitionMachine]:
    """The digest and the accounts of the journal decided from nothing."""
    machine, digest = PartitionMachine(journal.opened, layers, load), EMPTY_DIGEST
    for line in journal.lines:
        for posting in machine.feed(line):
            digest = next_ledger_digest(digest, posting)
    return digest, machine


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_rescoring(path: Path) -> None:
    scenario = read_scenario(path)
    journal = Journal(scenario)
    assert not journal.wrong, f"{path.name} ({scenario.title})\n" + "\n".join(journal.wrong)
    lines: list[LineDifference] = []
    worlds = TwoWorlds(journal.opened, (), [(journal.layers, lines.append)], load)
    for number, line in enumerate(journal.lines):
        worlds.feed(line, Folio(number, 0))
    members = list(worlds.drafts[0].finish())
    digest, before = whole_run(journal, ())
    _, after = whole_run(journal, journal.layers)
    assert worlds.digest == digest
    _require_the_same_changes(before, after, members)
    balances = [sum(account.balance for account in machine.accounts) for machine in (before, after)]
    wrong = wrong_in(scenario, lines, members, *balances)
    assert not wrong, f"{path.name} ({scenario.title})\n" + "\n".join(wrong)


def _require_the_same_changes(
    before: PartitionMachine, after: PartitionMachine, members: Sequence[MemberDifference]
) -> None:
    changed = {
        member_id: (before.account(member_id).balance, after.account(member_id).balance)
        for member_id in after.accounts.members()
        if before.account(member_id).balance != after.account(member_id).balance
    }
    told = {member.member_id: (member.balance_before, member.balance_after) for member in members}
    assert changed == {member_id: each for member_id, each in told.items() if each[0] != each[1]}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_reference_ledger_pays_the_same_under_the_draft(path: Path) -> None:
    journal = Journal(read_scenario(path))
    feed = reference_feed(journal.opened, layers=journal.layers)
    paid: Counter[str] = Counter()
    for line in journal.lines:
        for posting in feed(line):
            paid[posting.member_id] += sum(entry.points for entry in posting.entries)
    _, after = whole_run(journal, journal.layers)
    assert {member_id: after.account(member_id).balance for member_id in after.accounts.members()} == paid


def test_there_are_rescorings_enough() -> None:
    assert len(FILES) >= LEAST_SCENARIOS


def test_a_wrong_table_is_noticed() -> None:
    scenario = read_scenario(FILES[0].with_name("limit-too-low.txt"))
    wrong = wrong_in(scenario, [], [], 0, 0)
    assert len(wrong) == 2
