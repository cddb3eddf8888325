"""The rarer reasons are told in sentences that name the horizon, the rules or the claim that they come from."""

from pathlib import Path

import pytest

from schemas.facts import ReferralMade
from tests.support.command_line import run
from tests.support.small_folder import at, build_folder, purchase

DAYS = (
    (
        "11-02T00:00",
        (
            purchase("p-before", "11-01T09:00", "anna", 1000),
            ReferralMade("app", "r-1", at("11-01T10:00"), referrer_id="anna", referee_id="ben"),
        ),
    ),
    (
        "11-15T00:00",
        (
            purchase("p-now", "11-14T09:00", "anna", 1000),
            ReferralMade("app", "r-2", at("11-14T11:00"), referrer_id="anna", referee_id="ben"),
        ),
    ),
    ("11-16T00:00", (purchase("p-old", "2026-09-01T09:00:00Z", "anna", 1000),)),
)


@pytest.fixture(scope="module")
def late_rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rules that begin on 2 November at noon."""
    root = tmp_path_factory.mktemp("late") / "shop"
    build_folder(root, DAYS, (), effective_from=at("11-02T12:00"))
    return root


@pytest.mark.parametrize(
    ("event_id", "reason", "words"),
    [
        ("p-before", "no_ruleset", "the first ones take effect at 2026-11-02T12:00:00Z"),
        ("p-old", "too_old", "more than 30 days (the horizon) before 2026-11-15T00:00:00Z"),
        ("r-2", "already_claimed", "anna already holds a referral of ben less than 30 days away"),
    ],
)
def test_reason_names_what_it_comes_from(late_rules: Path, event_id: str, reason: str, words: str) -> None:
    (event,) = run(late_rules, "explain", event_id, "--json").json()["events"]
    told = {posting["reason"]: posting["why"] for posting in event["postings"]}
    assert words in told[reason]


def test_fact_without_rules_has_no_rules_to_consider(late_rules: Path) -> None:
    (event,) = run(late_rules, "explain", "p-before", "--json").json()["events"]
    (posting,) = event["postings"]
    assert (posting["rules"], posting["considered"], event["local_time"]) == (None, [], "")
