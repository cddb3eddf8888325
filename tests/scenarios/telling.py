"""Tells a scenario to a decider, row by row, and says what came that was not expected."""

from collections.abc import Callable

from schemas.facts import ClockTicked, JournalOpened, PublishedFact, RefereePurchased, RulesetPublished, members_of
from schemas.pages import JournalLine
from schemas.posting import Posting
from tests.scenarios.expecting import check
from tests.scenarios.happening import fact_of
from tests.scenarios.reading import Row, Scenario
from tests.support.deciders import Feed, published


class Telling:
    """Tells a scenario to one decider, row by row."""

    def __init__(self, scenario: Scenario, start: Callable[[JournalOpened], Feed]) -> None:
        self.scenario = scenario
        opened = JournalOpened(
            deployment="scenario",
            generation=1,
            partitions=1,
            partition=0,
            horizon_ms=scenario.horizon_ms,
            referral_window_ms=scenario.referral_window_ms,
        )
        self.feed = start(opened)
        self.told: dict[str, PublishedFact] = {}
        self.waiting: list[RefereePurchased] = []
        said = {name for row in scenario.rows for name in scenario.versions if row.happened == self.saying(name)}
        for name in scenario.versions:
            if name not in said:
                self.publish(name)

    @staticmethod
    def saying(name: str) -> str:
        return f"ruleset {name} is published"

    def publish(self, name: str) -> list[Posting]:
        version = self.scenario.versions[name]
        effective_from = self.scenario.instant(version.effective_from)
        return self.line(published(version.text, self.scenario.zone, version=name, effective_from=effective_from))

    def line(self, fact: PublishedFact | RefereePurchased | RulesetPublished | ClockTicked) -> list[Posting]:
        """The postings of a fact in all of its accounts."""
        members = (None,) if isinstance(fact, RulesetPublished | ClockTicked) else members_of(fact)
        postings = [posting for member in members for posting in self.feed(JournalLine(fact, 0, member))]
        self.waiting += [owed for posting in postings for owed in posting.owed]
        return postings

    def row(self, row: Row) -> list[Posting]:
        """The postings of a row; of a referral first the referrer's."""
        if row.happened == "the clock ticks":
            return self.line(ClockTicked(self.scenario.instant(row.when)))
        if row.happened == "the round ends":
            told, self.waiting = sorted(self.waiting, key=lambda fact: fact.occurred_at), []
            return [posting for fact in told for posting in self.feed(JournalLine(fact, 0, fact.member_id))]
        for name in self.scenario.versions:
            if row.happened == self.saying(name):
                return self.publish(name)
        if row.happened.startswith("again "):
            fact = self.told[row.happened.removeprefix("again ")]
        else:
            fact = fact_of(row.who, row.happened, self.scenario.instant(row.when), row.number)
            self.told.setdefault(fact.event_id, fact)
        return sorted(self.line(fact), key=lambda posting: posting.member_id != row.who)


def differences(scenario: Scenario, row: Row, postings: list[Posting]) -> list[str]:
    """What a row should have made and did not, and the other way round."""
    wrong = []
    if [expected.who for expected in row.expected] != [posting.member_id for posting in postings]:
        wrong.append(f"postings for {[posting.member_id for posting in postings]}")
    for expected, posting in zip(row.expected, postings, strict=False):
        if expected.told and expected.told != posting.event_id:
            wrong.append(f"expected the event {expected.told}, came {posting.event_id}")
        wrong += [f"{posting.member_id}: {text}" for text in check(scenario, posting, expected.text)]
    return wrong
