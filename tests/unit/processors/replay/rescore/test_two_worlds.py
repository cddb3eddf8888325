"""Two worlds in one pass: what is told of each line and each member, and that no world disturbs the other."""

import pytest

from processors.replay.rescore.differences import Cause, LineDifference, LotsLeft
from processors.replay.rescore.two_worlds import MILLION, Selection, TwoWorlds
from schemas.bounds import DAY_MS
from schemas.facts import CheckedIn, ClockTicked, ReferralMade, ReviewSubmitted
from schemas.pages import Folio, JournalLine
from schemas.partitions import partition_of
from schemas.posting import RuleLayer
from tests.support.deciders import decider_feed, load
from tests.support.rescoring import OPENED, Told, journal, layer, publication, rescored, ruleset, span, whole_run
from tests.support.small_folder import at, purchase

BASE = "  - {id: base, kind: spend, points: 1, per_minor: 100}\n"
DOUBLED = BASE.replace("points: 1", "points: 2")
ONE, TWO = ruleset(BASE), ruleset(DOUBLED)
DAYS = "expiry: {kind: rolling, days: 3}\n"
MIDNIGHT = at("11-03T00:00")


def review(event_id: str, when: str, member_id: str = "ann") -> ReviewSubmitted:
    return ReviewSubmitted("web", event_id, at(when), member_id, sku="beans", text_length=200)


def test_the_same_rules_under_another_version_change_nothing_and_are_decided_once() -> None:
    lines = journal(publication(ONE), purchase("p-1", "11-02T09:00", "ann", 1250), ClockTicked(MIDNIGHT))
    found = rescored(lines, layer(span(ruleset(BASE, version="2"))))
    assert (found.lines, found.members) == ([], [])
    assert (found.worlds.decided, found.worlds.drafts[0].parted) == (1, 0)


def test_a_line_says_all_of_its_award_in_both_worlds() -> None:
    lines = journal(publication(ruleset(BASE, before=DAYS)), purchase("p-1", "11-02T09:00", "ann", 1250))
    found = rescored(lines, layer(span(ruleset(DOUBLED, before="expiry: {kind: none}\n"))))
    (line,) = found.lines
    assert line == LineDifference(
        page=1,
        line=0,
        member_id="ann",
        cause=Cause.DIRECT,
        fact_type="PurchaseRecorded",
        source="pos",
        event_id="p-1",
        occurred_at=at("11-02T09:00"),
        points_before=12,
        points_after=25,
        rule_id="base",
        wallet=line.wallet,
        local_day=at("11-02T00:00") // DAY_MS,
        store_id="s1",
        expires_before=at("11-06T00:00"),
        expires_after=None,
    )
    (member,) = found.members
    assert (member.page, member.line, member.lines) == (1, 0, 1)
    assert (member.balance_before, member.balance_after) == (12, 25)
    assert (member.earned_before, member.earned_after) == (12, 25)
    assert member.left == (LotsLeft(at("11-06T00:00"), 12, 0), LotsLeft(None, 0, 25))


def test_the_first_difference_of_a_member_is_where_the_accounts_parted() -> None:
    told = [purchase(f"p-{day}", f"11-0{day}T09:00", "ann", 1000) for day in range(2, 6)]
    lines = journal(publication(ONE), *told)
    found = rescored(lines, layer(span(TWO, at("11-03T00:00"), at("11-05T00:00"))))
    assert [line.event_id for line in found.lines] == ["p-3", "p-4"]
    (member,) = found.members
    assert (member.page, member.lines) == (2, 2)


def test_both_ends_of_a_span_are_instants_of_which_the_first_is_inside() -> None:
    begin, end = at("11-03T00:00"), at("11-04T00:00")
    told: list[Told] = [
        purchase(name, "11-03T00:00", "ann", 1000, occurred_at=when)
        for name, when in (("before", begin - 1), ("first", begin), ("last", end - 1), ("behind", end))
    ]
    found = rescored(journal(publication(ONE), *told), layer(span(TWO, begin, end)))
    assert [line.event_id for line in found.lines] == ["first", "last"]


def test_a_copy_never_changes_the_account_of_the_books() -> None:
    """Lots, days held and counters of both worlds are other ones, whatever happens afterwards."""
    text = ruleset(
        BASE.replace("}", ", limits: [a-day]}") + "  - {id: visits, kind: streak, daily: 2}\n",
        before=DAYS + "limits:\n  - {id: a-day, per: day, points: 20}\n",
    )
    told: list[Told] = []
    for day in range(2, 9):
        told += [
            ClockTicked(at(f"11-0{day}T00:00")),
            purchase(f"p-{day}", f"11-0{day}T09:00", "ann", 700 * day),
            CheckedIn("app", f"c-{day}", at(f"11-0{day}T10:00"), "ann"),
        ]
    lines = journal(publication(text), *told)
    layers = layer(span(text.replace("points: 20", "points: 33").replace("days: 3", "days: 2"), at("11-04T00:00")))
    found = rescored(lines, layers)
    digest, _ = whole_run(lines, ())
    assert found.worlds.digest == digest
    assert found.accounts() == whole_run(lines, layers)[1]
    assert found.worlds.drafts[0].parted == 1


def test_two_drafts_beside_each_other_do_not_disturb_each_other() -> None:
    lines = journal(publication(ONE), *(purchase(f"p-{day}", f"11-0{day}T09:00", "ann", 1000) for day in range(2, 8)))
    drafts = [layer(span(TWO, at(f"11-0{day}T00:00"))) for day in (3, 5)]
    told: list[list[LineDifference]] = [[], []]
    worlds = TwoWorlds(OPENED, (), [(each, one.append) for each, one in zip(drafts, told, strict=True)], load)
    for number, line in enumerate(lines):
        worlds.feed(line, Folio(number, 0))
    alone = [rescored(lines, each) for each in drafts]
    assert told == [one.lines for one in alone]
    assert [list(draft.finish()) for draft in worlds.drafts] == [one.members for one in alone]
    assert [len(each) for each in told] == [5, 3]


def test_a_parted_account_is_decided_again_although_the_rules_agree() -> None:
    """Behind the span the rules say the same; the run of check-in days is another one."""
    visits = "  - {id: visits, kind: streak, daily: 1, steps: [{day: 3, bonus: 10}], beyond: restart}\n"
    in_app = visits.replace("}\n", ", when: {channel: [app]}}\n")
    told = [CheckedIn("web", f"c-{day}", at(f"11-0{day}T10:00"), "ann", channel="web") for day in range(2, 6)]
    lines = journal(publication(ruleset(visits)), *told)
    found = rescored(lines, layer(span(ruleset(in_app), at("11-03T00:00"), at("11-04T00:00"))))
    assert found.points() == [("c-3", "visits", 1, 0, "direct"), ("c-4", "visits", 11, 1, "knock_on")]


def test_a_renamed_limit_parts_accounts_before_any_point_differs() -> None:
    limited = BASE.replace("}", ", limits: [a-year]}")
    text = ruleset(limited, before="limits:\n  - {id: a-year, per: year, points: 15}\n")
    lines = journal(
        publication(text), purchase("p-1", "11-02T09:00", "ann", 600), purchase("p-2", "11-12T09:00", "ann", 1400)
    )
    found = rescored(lines, layer(span(text.replace("a-year", "yearly"), 0, at("11-10T00:00"))))
    assert found.points() == [("p-2", "base", 9, 14, "knock_on")]
    assert (found.members[0].page, found.members[0].lines) == (1, 1)


def test_a_renamed_limit_that_never_bites_is_told_of_nobody() -> None:
    limited = BASE.replace("}", ", limits: [a-year]}")
    text = ruleset(limited, before="limits:\n  - {id: a-year, per: year, points: 15}\n")
    found = rescored(
        journal(publication(text), purchase("p-1", "11-02T09:00", "ann", 600)),
        layer(span(text.replace("a-year", "yearly"))),
    )
    assert (found.lines, found.members, found.worlds.drafts[0].parted) == ([], [], 1)


def test_a_limit_for_one_kind_leaves_more_to_the_other() -> None:
    rules = (
        BASE.replace("}", ", limits: [both]}") + "  - {id: review, kind: fixed, on: review, points: 10, limits: [both]}"
    )
    text = ruleset(rules, before="limits:\n  - {id: both, per: day, points: 20}\n")
    tighter = text.replace("limits: [both]}", "limits: [both, own]}", 1).replace(
        "limits:\n", "limits:\n  - {id: own, per: day, points: 5}\n", 1
    )
    lines = journal(publication(text), purchase("p-1", "11-02T09:00", "ann", 1500), review("v-1", "11-02T10:00"))
    found = rescored(lines, layer(span(tighter)))
    assert found.points() == [("p-1", "base", 15, 5, "direct"), ("v-1", "review", 5, 10, "knock_on")]


def test_where_the_books_have_no_rules_their_reason_is_told() -> None:
    lines = journal(publication(ONE, effective_from=at("11-03T00:00")), purchase("p-1", "11-02T09:00", "ann", 1000))
    found = rescored(lines, layer(span(TWO, at("11-02T00:00"))))
    (line,) = found.lines
    assert (line.points_before, line.reason_before) == (0, "no_ruleset")
    assert (line.points_after, line.reason_after) == (20, "")
    assert line.local_day == at("11-02T00:00") // DAY_MS


def test_a_kind_that_no_rule_counts_gives_no_line_where_one_world_has_no_rules() -> None:
    lines = journal(publication(ONE, effective_from=at("11-03T00:00")), review("v-1", "11-02T10:00"))
    found = rescored(lines, layer(span(ONE, 0)))
    assert (found.lines, found.members) == ([], [])


def test_expiries_of_one_local_day_are_one_line_and_the_same_sum_is_none() -> None:
    """Shortened from three days to two: what was earned on the 2nd goes a day sooner, and so on."""
    text = ruleset(BASE, before=DAYS)
    told: list[Told] = [
        purchase("p-1", "11-02T09:00", "ann", 500),
        purchase("p-2", "11-02T10:00", "ann", 300),
        purchase("p-3", "11-03T10:00", "ann", 800),
        *(ClockTicked(at(f"11-0{day}T00:00")) for day in range(4, 9)),
    ]
    found = rescored(journal(publication(text), *told), layer(span(text.replace("days: 3", "days: 2"))))
    expired = [
        (line.local_day, line.points_before, line.points_after, line.page)
        for line in found.lines
        if line.cause == Cause.EXPIRY
    ]
    # In the draft 8 go on the 5th and 8 on the 6th; in the books 8 go on the 6th, so only the 5th and 7th differ.
    day = at("11-05T00:00") // DAY_MS
    assert expired == [(day, 0, -8, 5), (day + 2, -8, 0, 7)]
    assert [(line.rule_id, line.fact_type) for line in found.lines if line.cause == Cause.EXPIRY] == [
        ("", "ClockTicked")
    ] * 2
    (member,) = found.members
    assert (member.lines, member.balance_before, member.balance_after, member.left) == (5, 0, 0, ())


def test_an_expiry_that_the_next_fact_notices_stands_at_that_fact() -> None:
    text = ruleset(BASE, before=DAYS)
    told = [purchase("p-1", "11-02T09:00", "ann", 500), purchase("p-2", "11-05T10:00", "ann", 300)]
    found = rescored(journal(publication(text), *told), layer(span(text.replace("days: 3", "days: 2"), 0, MIDNIGHT)))
    assert [(line.event_id, line.cause, line.points_before, line.points_after) for line in found.lines] == [
        ("p-1", Cause.DIRECT, 5, 5),
        ("p-2", Cause.EXPIRY, 0, -5),
    ]


def test_a_layer_of_the_base_is_part_of_both_worlds() -> None:
    lines = journal(publication(ONE), *(purchase(f"p-{day}", f"11-0{day}T09:00", "ann", 1000) for day in (2, 3, 4)))
    base = layer(span(TWO, at("11-03T00:00"), at("11-04T00:00")))
    three = ruleset(BASE.replace("points: 1", "points: 3"))
    found = rescored(lines, (*base, RuleLayer(1, (span(three, at("11-04T00:00")),))), base_layers=base)
    assert found.points() == [("p-4", "base", 10, 30, "direct")]
    assert found.worlds.digest == whole_run(lines, base)[0]


def test_duplicates_conflicts_and_facts_that_are_too_old_are_so_in_both_worlds() -> None:
    told: list[Told] = [
        purchase("p-1", "11-02T09:00", "ann", 1000),
        ClockTicked(at("11-03T00:00")),
        purchase("p-1", "11-02T09:00", "ann", 1000),
        purchase("p-1", "11-02T09:00", "ann", 1100),
        purchase("p-old", "2026-07-01T09:00:00Z", "ann", 1000),
    ]
    found = rescored(journal(publication(ONE), *told), layer(span(TWO)))
    assert found.points() == [("p-1", "base", 10, 20, "direct")]
    assert found.members[0].balance_after == 20


def test_a_world_that_differs_in_what_no_rule_can_change_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    ranks = iter(range(100))
    monkeypatch.setattr("processors.replay.rescore.two_worlds._beyond_rules", lambda _: next(ranks))
    with pytest.raises(AssertionError, match="pos/p-1 of ann: the worlds differ in what no rule can change"):
        rescored(journal(publication(ONE), purchase("p-1", "11-02T09:00", "ann", 1000)), layer(span(TWO)))


def test_guests_are_in_no_world() -> None:
    lines = journal(publication(ONE))
    lines.append(JournalLine(purchase("p-guest", "11-02T09:00", None, 900), 0, None))
    found = rescored(lines, layer(span(TWO)))
    assert (found.lines, found.worlds.postings) == ([], 0)


def test_a_referral_pays_both_accounts_and_each_has_a_line() -> None:
    text = ruleset(
        "  - {id: friends, kind: referral, referrer_points: 100, referee_points: 50, min_amount_minor: 900}\n"
    )
    told = journal(
        publication(text),
        ReferralMade("app", "r-1", at("11-02T11:00"), referrer_id="ann", referee_id="bob"),
        purchase("p-bob", "11-02T12:00", "bob", 1000),
    )
    feed = decider_feed(OPENED)
    owed = [fact for line in told for posting in feed(line) for fact in posting.owed]
    lines = [*told, *(JournalLine(fact, 0, fact.member_id) for fact in owed)]
    found = rescored(lines, layer(span(text.replace("referrer_points: 100", "referrer_points: 80"))))
    assert [(line.member_id, line.points_before, line.points_after) for line in found.lines] == [("ann", 100, 80)]
    found = rescored(lines, layer(span(text.replace("minor: 900", "minor: 1001"))))
    assert {(line.member_id, line.points_before, line.points_after) for line in found.lines} == {
        ("ann", 100, 0),
        ("bob", 50, 0),
    }
    assert found.accounts() == whole_run(lines, layer(span(text.replace("minor: 900", "minor: 1001"))))[1]


def test_a_selection_is_the_whole_restricted() -> None:
    names = [f"member-{number}" for number in range(200)]
    lines = journal(publication(ONE), *(purchase(f"p-{name}", "11-02T09:00", name, 1000) for name in names))
    whole = rescored(lines, layer(span(TWO)))
    drawn = Selection(per_million=MILLION // 4)
    some = rescored(lines, layer(span(TWO)), selection=drawn)
    assert some.lines == [line for line in whole.lines if drawn.takes(line.member_id)]
    assert 20 < len(some.lines) < 90
    named = rescored(lines, layer(span(TWO)), selection=Selection(frozenset({"member-7"})))
    assert [member.member_id for member in named.members] == ["member-7"]


def test_a_sample_is_drawn_from_every_partition() -> None:
    names = [f"member-{number}" for number in range(4_000)]
    drawn = [partition_of(name, 4) for name in names if Selection(per_million=MILLION // 10).takes(name)]
    assert all(60 < drawn.count(partition) < 140 for partition in range(4))


def test_a_sample_grows_without_leaving_anybody_out() -> None:
    names = [f"member-{number}" for number in range(1_000)]
    small, large = (
        {name for name in names if Selection(per_million=share).takes(name)} for share in (MILLION // 10, MILLION // 3)
    )
    assert small < large
