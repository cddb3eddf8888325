"""What an explanation says of every posting adds up to what the ledger recorded, over thousands of facts."""

import re
from collections import Counter

import pytest

from schemas.facts import BookFact
from schemas.posting import EntryType, LimitCharge, Posting, Reason
from tallybook.demo.year import DEMO_YEAR_STARTS_AT, DemoYear, write_demo_year
from tallybook.explain.account_walk import AccountWalk, Moment
from tallybook.explain.model import PostingSeen
from tallybook.explain.posting import explain_posting
from tallybook.folder.folder import Folder
from tallybook.folder.import_files import import_files
from tests.support.small_folder import at
from tests.support.whole_books import postings_of

FACTS, MEMBERS = 3_000, 60


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = Folder(tmp_path_factory.mktemp("year"))
    folder.create("year", 2, 90, DEMO_YEAR_STARTS_AT)
    folder.copy_ruleset("coffee-chain")
    files = write_demo_year(folder.inbox, DemoYear(FACTS, MEMBERS, 11), lambda: None)
    import_files(folder, [str(file) for file in files], None, now=at("2026-11-01T00:00:00Z"))
    return folder


def moments(folder: Folder) -> list[tuple[Posting, PostingSeen]]:
    """Every posting of a member's fact with its explanation."""
    found: list[tuple[Posting, PostingSeen]] = []
    with folder.reading() as log:
        members = {posting.member_id for n in range(log.partitions) for posting in postings_of(log, n)}
        for member_id in sorted(members):
            for moment in AccountWalk(log, member_id, lambda: None):
                found += explained(moment)
    return found


def explained(moment: Moment) -> list[tuple[Posting, PostingSeen]]:
    fact = moment.walked.line.fact
    if isinstance(fact, BookFact):
        return []
    return [(posting, explain_posting(moment, fact, posting)) for posting in moment.postings]


def test_explanations_add_up_to_the_ledger(year: Folder) -> None:
    reasons: Counter[str] = Counter()
    cuts = 0
    for posting, seen in moments(year):
        awards = {entry.rule_id: entry.points for entry in posting.entries if entry.type == EntryType.POINTS_AWARDED}
        assert {rule.rule_id: rule.paid for rule in seen.considered if rule.paid} == awards
        charges = [
            LimitCharge(limit.limit_id, limit.window, limit.charged)
            for rule in seen.considered
            for limit in rule.limits
            if limit.charged
        ]
        assert charges == list(posting.charges)
        computed = {rule.rule_id for rule in seen.considered if rule.arithmetic}
        assert computed == {working.rule_id for working in posting.workings}
        for working in posting.workings:
            (rule,) = [each for each in seen.considered if each.rule_id == working.rule_id]
            assert sum(limit.cut for limit in rule.limits) == working.rounded - working.paid
            assert [limit.limit_id for limit in rule.limits if limit.cut] == list(working.limit_ids)
            cuts += bool(working.limit_ids)
        assert seen.balance_after - seen.balance_before == sum(entry.points for entry in posting.entries)
        assert bool(seen.why) == (posting.reason is not None)
        assert not re.search(r"[{}]", seen.why)
        if posting.ruleset_hash:
            assert seen.rules is not None
            assert seen.rules.ruleset_hash == posting.ruleset_hash
        reasons[posting.reason or ""] += 1
    assert reasons.total() > FACTS * 9 // 10  # guests have no posting, referrals have two
    assert all(reasons[kind] for kind in ("", Reason.LIMIT_REACHED, Reason.AWAITING_PURCHASE, Reason.NO_RULE_MATCHED))
    assert cuts
