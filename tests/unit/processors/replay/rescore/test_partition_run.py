"""One partition of some books, re-scored up to a cut: the ledger is proven on the way, and totals are those of rows."""

from functools import cache

import msgspec
import pytest

from processors.embedded.rounds import Taken
from processors.replay.rescore.differences import LineDifference, MemberDifference
from processors.replay.rescore.partition_run import BaseDiffers, Cut, Kept, PartitionRescored, rescore_partition
from processors.replay.rescore.two_worlds import EVERYBODY, Selection
from schemas.pages import Folio
from schemas.posting import FIRST_EDITION, RuleLayer, RuleSpan
from tests.fakes.books import MemoryBooks
from tests.reference.local_time import DAY_MS
from tests.support.deciders import load, published
from tests.support.small_imports import RULES, START, ledger, new_books, random_facts, rounds_of

PARTITION = 1
DAYS = 6
TIGHTER = RULES.replace("points: 40", "points: 15")


@cache
def books() -> tuple[MemoryBooks, tuple[Cut, ...]]:
    """Books of some days, a commit a day, and where this partition stood after each."""
    made, cuts = new_books(), []
    facts = random_facts(9, days=DAYS, a_day=30)
    rounds = rounds_of(made.write())
    for day in range(DAYS):
        ends_at = START + (day + 1) * DAY_MS
        mine = [fact for fact in facts if ends_at - DAY_MS <= fact.occurred_at < ends_at]
        rounds.take([Taken(fact, "ab" * 32, 1) for fact in mine], ends_at, ends_at)
        rounds.commit([])
        log = made.read()
        page, posting = log.last_page(PARTITION), log.last_posting(FIRST_EDITION, PARTITION)
        digests = log.recorded_digests(FIRST_EDITION, PARTITION)
        assert page is not None
        assert posting is not None
        assert digests is not None
        cuts.append(Cut(PARTITION, page.page, posting.number, digests.ledger))
    made.die()
    return made, tuple(cuts)


def draft(text: str = TIGHTER) -> tuple[RuleLayer, ...]:
    return (RuleLayer(1, (RuleSpan(START, published(text, "Europe/Berlin", version="2", effective_from=START)),)),)


def rescored(
    cut: Cut, layers: tuple[RuleLayer, ...], selection: Selection = EVERYBODY
) -> tuple[PartitionRescored, list[LineDifference], list[MemberDifference]]:
    lines: list[LineDifference] = []
    members: list[MemberDifference] = []
    kept = Kept(layers, lines.append, members.append)
    done = rescore_partition(books()[0].read(), FIRST_EDITION, cut, [kept], load, selection=selection)
    return done, lines, members


@pytest.mark.parametrize("day", range(DAYS))
def test_the_ledger_is_proven_up_to_any_commit(day: int) -> None:
    cut = books()[1][day]
    done, _, _ = rescored(cut, draft())
    assert done.is_proven
    assert (done.partition, done.postings, done.last_tick) == (PARTITION, cut.postings, START + (day + 1) * DAY_MS)


def test_totals_are_the_sums_of_the_rows() -> None:
    done, lines, members = rescored(books()[1][-1], draft())
    (total,) = done.drafts
    assert (total.lines, total.members) == (len(lines), len(members))
    assert total.balance_change == sum(line.points_after - line.points_before for line in lines) < 0
    assert total.balance_change == sum(member.balance_after - member.balance_before for member in members)
    assert total.parted >= len(members) > 0
    assert done.postings < done.decided <= 2 * done.postings
    postings = ledger(books()[0], PARTITION)
    last = {posting.member_id: posting.balance for posting in postings}
    assert (done.accounts, done.balance) == (len(last), sum(last.values()))


def test_without_a_difference_everything_is_decided_once() -> None:
    done, lines, members = rescored(books()[1][-1], draft(RULES))
    decided = [posting for posting in ledger(books()[0], PARTITION) if posting.fact_type != "ClockTicked"]
    assert (lines, members, done.decided) == ([], [], len(decided))


@pytest.mark.parametrize("page", [-1, 1])
def test_a_cut_that_is_read_a_page_too_far_or_too_short_is_noticed(page: int) -> None:
    cut = books()[1][3]
    moved = msgspec.structs.replace(cut, page=cut.page + page)
    with pytest.raises(BaseDiffers, match=rf"up to page {moved.page} its digest is {cut.ledger_digest[:12]}"):
        rescored(moved, draft())


def test_another_digest_ends_the_run_and_names_what_helps() -> None:
    wrong = msgspec.structs.replace(books()[1][-1], ledger_digest="00" * 32)
    with pytest.raises(BaseDiffers, match=r"ledger\.0001/01.*tallybook verify"):
        rescored(wrong, draft())


def test_rows_end_at_the_cut() -> None:
    early, late = (rescored(books()[1][day], draft())[1] for day in (2, DAYS - 1))
    facts = [line for line in late if line.rule_id]
    assert [line for line in early if line.rule_id] == facts[: sum(bool(line.rule_id) for line in early)]
    assert max(line.page for line in early) <= books()[1][2].page < max(line.page for line in late)


def test_what_follows_the_last_line_compared_is_decided_for_the_digest_alone() -> None:
    early, late = books()[1][2], books()[1][-1]
    lines = [
        (page.page, number)
        for _, page in books()[0].read().read_journal(PARTITION)
        for number in range(len(page.lines))
    ]
    last = max(place for place in lines if place[0] <= early.page)
    done, told, members = rescored(msgspec.structs.replace(late, closes_at=Folio(*last)), draft())
    wanted, told_before, members_before = rescored(early, draft())
    assert (told, members) == (told_before, members_before)
    assert done.is_proven
    assert (done.last_tick, done.balance, done.drafts) == (wanted.last_tick, wanted.balance, wanted.drafts)
    assert done.postings == late.postings


def test_nothing_scored_is_nothing_read() -> None:
    done, lines, members = rescored(Cut(PARTITION, -1, 0, ""), draft())
    assert (done, lines, members) == (PartitionRescored(PARTITION, drafts=done.drafts), [], [])


def test_a_sample_is_not_proven_and_named_members_are_found() -> None:
    cut = books()[1][-1]
    known = sorted({posting.member_id for posting in ledger(books()[0], PARTITION)})
    done, _, members = rescored(cut, draft(), Selection(frozenset({known[0], "nobody"})))
    assert (done.members, done.accounts, done.is_proven) == ([known[0]], 1, False)
    assert {member.member_id for member in members} <= {known[0]}


def test_progress_counts_all_postings() -> None:
    told: list[int] = []
    cut = books()[1][-1]
    rescore_partition(books()[0].read(), FIRST_EDITION, cut, [], load, on_postings=told.append)
    assert sum(told) == cut.postings
