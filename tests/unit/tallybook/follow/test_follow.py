"""A follow cuts its rounds by arrival, ticks when nothing waits, and survives clocks, kills and hasty writers."""

from pathlib import Path

import msgspec
import pytest

from schemas.bounds import DAY_MS
from schemas.facts import CheckedIn, PurchaseRecorded
from schemas.instants import LATEST_MS
from tallybook.follow.follower import ROUND_MS, ROUND_RECORDS, WORTH_WARNING
from tallybook.follow.inbox import EMPTY_QUIET_MS, LONG_QUIET_MS, MAX_HELD_MS, QUIET_MS, RECHECK_MS
from tests.reference.local_time import HOUR_MS
from tests.support import small_imports as small
from tests.support.follow import MINUTE_MS, NOON, STEP_MS, Stream, journalled, once_each
from tests.support.small_imports import Died, random_facts

MALFORMED = b"{no json"


@pytest.fixture
def stream(tmp_path: Path) -> Stream:
    return Stream(tmp_path, NOON + 10 * MINUTE_MS)


def check_in(event_id: str, at: int = NOON - DAY_MS) -> CheckedIn:
    return CheckedIn("app", event_id, at, f"m-{event_id}")


# -- rounds


def test_a_round_ends_so_long_after_its_first_record(stream: Stream) -> None:
    stream.put("a.jsonl", [check_in("a")])
    stream.go(ROUND_MS)
    assert stream.commits() == 0
    stream.put("b.jsonl", [check_in("b")])
    stream.go(STEP_MS)
    assert stream.commits() == 1
    assert journalled(stream.books) == once_each([check_in("a"), check_in("b")])


def test_a_round_ends_when_it_is_full(stream: Stream) -> None:
    facts = [check_in(f"{number}") for number in range(ROUND_RECORDS + 1)]
    stream.put("a.jsonl", facts)
    while stream.commits() == 0:
        stream.step(0)
    (commit,) = [one for one in stream.books.read().commits() if one.number > 1]
    assert commit.facts == ROUND_RECORDS
    (consumed,) = commit.inputs
    assert (consumed.record, consumed.as_is, consumed.name) == (ROUND_RECORDS, True, "a.jsonl")
    assert stream.names() == ["a.jsonl"], "its last record is not in"
    stream.drain()
    assert journalled(stream.books) == once_each(facts)
    assert (stream.names(), stream.names("taken")) == ([], ["a.jsonl"])


def test_who_is_idle_commits_nothing(stream: Stream) -> None:
    stream.put("a.jsonl", [check_in("a")])
    stream.drain()
    commits = stream.commits()
    stream.go(40 * MINUTE_MS, MINUTE_MS)
    assert stream.commits() == commits


def test_files_come_in_the_order_of_their_arrival(stream: Stream) -> None:
    stream.put("a.jsonl", [check_in("third")], age_ms=1_000)
    stream.put("b.jsonl", [check_in("second")], age_ms=2_000)
    stream.put("c.jsonl", [check_in("first")], age_ms=2_000_000)
    stream.put("d.jsonl", [check_in("fourth")], age_ms=1_000)
    stream.drain()
    (commit,) = [one for one in stream.books.read().commits() if one.inputs]
    assert [one.name for one in commit.inputs] == ["c.jsonl", "b.jsonl", "a.jsonl", "d.jsonl"]


def test_the_same_content_twice_in_one_round_is_taken_once(stream: Stream) -> None:
    stream.put("a.jsonl", [check_in("a"), MALFORMED])
    stream.put("b.jsonl", [check_in("a"), MALFORMED])
    stream.drain()
    assert stream.commits() == 1
    assert journalled(stream.books) == once_each([check_in("a")])
    assert len(small.rejects_in(stream.books)) == 1


def test_a_stop_commits_the_present_round_and_leaves_the_rest(stream: Stream) -> None:
    facts = [check_in(f"{number}") for number in range(2_000)]
    stream.put("a.jsonl", facts)
    stream.step()
    stream.follower.finish(stream.now)
    assert 0 < len(journalled(stream.books)) < len(facts)
    assert stream.names() == ["a.jsonl"]
    stream.start()
    stream.drain()
    assert journalled(stream.books) == once_each(facts)


def test_a_record_of_the_last_instant_there_is_does_not_end_its_file(stream: Stream) -> None:
    facts = [check_in(f"{number}") for number in range(2_000)]
    stream.put("a.jsonl", [check_in("last", LATEST_MS), *facts])
    stream.step()
    stream.follower.finish(stream.now)
    assert 0 < len(journalled(stream.books)) < len(facts)
    stream.start()
    stream.drain()
    assert journalled(stream.books) == once_each(facts)


def test_rejects_are_kept_with_their_place_and_instant(stream: Stream) -> None:
    stream.put("a.jsonl", [check_in("a"), MALFORMED, check_in("b"), check_in("early", NOON + DAY_MS)])
    stream.drain()
    found = [
        (each.number, each.reason, each.record, each.input_name, each.raw) for each in small.rejects_in(stream.books)
    ]
    assert found[0] == (1, "malformed", 2, "a.jsonl", MALFORMED)
    assert found[1][:4] == (2, "too_early", 4, "a.jsonl")
    assert all(NOON < each.received_at <= stream.now for each in small.rejects_in(stream.books))
    assert stream.follower.done.rejects == 2


def test_a_file_of_nothing_but_rejects_is_taken_once(stream: Stream) -> None:
    stream.put("a.jsonl", [MALFORMED])
    stream.drain()
    stream.put("again.jsonl", [MALFORMED])
    stream.drain()
    assert len(small.rejects_in(stream.books)) == 1
    assert stream.names("taken") == ["a.jsonl", "again.jsonl"]


# -- time


def test_a_tick_is_the_last_full_hour(stream: Stream) -> None:
    stream.put("a.jsonl", [check_in("a")])
    stream.drain()
    assert stream.ticks() == [NOON]
    stream.go(HOUR_MS, MINUTE_MS)
    assert stream.ticks() == [NOON, NOON + HOUR_MS]
    stream.step(5 * HOUR_MS)
    stream.go(MINUTE_MS, 1_000)
    assert stream.ticks() == [NOON, NOON + HOUR_MS, NOON + 6 * HOUR_MS], "an outage is one tick"


def test_books_without_a_fact_get_no_tick(stream: Stream) -> None:
    stream.go(2 * HOUR_MS, MINUTE_MS)
    assert stream.ticks() == []
    assert stream.commits() == 0


def test_a_backlog_is_taken_in_before_the_tick(stream: Stream) -> None:
    stream.put("a.jsonl", [check_in("a")])
    stream.drain()
    stream.now += 5 * HOUR_MS  # down all the while
    facts = [check_in(f"late {number}", NOON + HOUR_MS) for number in range(3_000)]
    stream.put("late.jsonl", facts, age_ms=4 * HOUR_MS)
    stream.start()
    while len(journalled(stream.books)) < 1 + len(facts):
        assert stream.ticks() == [NOON]
        stream.step()
    stream.drain()
    assert stream.ticks() == [NOON, NOON + 5 * HOUR_MS]
    assert all(line.received_at > NOON + 5 * HOUR_MS for line in small.journal(stream.books, 0)[-1:])


def test_what_came_after_the_hour_holds_no_tick_back(stream: Stream) -> None:
    stream.put("a.jsonl", [check_in("a")])
    stream.drain()
    stream.now = NOON + HOUR_MS - STEP_MS
    stream.step()
    file = stream.put("b.jsonl", [check_in("b")], age_ms=0)
    for number in range(100):  # never at rest
        stream.touch(file, -number)
        stream.step()
    assert stream.ticks() == [NOON, NOON + HOUR_MS]
    assert journalled(stream.books) == once_each([check_in("a")])


def test_a_file_that_never_comes_to_rest_holds_the_tick_back_for_some_hours_only(stream: Stream) -> None:
    stream.put("a.jsonl", [check_in("a")])
    stream.drain()
    file = stream.put("b.jsonl", [check_in("b")], age_ms=0)
    stream.step()
    held = 0
    while stream.ticks() == [NOON]:
        held += 1
        stream.touch(file, -held)
        stream.step(MINUTE_MS)
    assert stream.ticks()[-1] - NOON >= MAX_HELD_MS - HOUR_MS


def test_time_never_goes_back_in_the_books(stream: Stream) -> None:
    stream.put("a.jsonl", [check_in("a")])
    stream.drain()
    before, stream.now = stream.now, stream.now - 3 * HOUR_MS
    stream.put("b.jsonl", [check_in("b")])
    stream.drain()
    assert len([text for text in stream.said if "the clock says" in text]) == 1
    instants = small.received(stream.books)
    assert instants["a"] <= instants["b"] <= before
    stream.now = before + HOUR_MS
    stream.put("c.jsonl", [check_in("c")])
    stream.drain()
    assert small.received(stream.books)["c"] > instants["b"]
    assert stream.ticks() == [NOON, NOON + HOUR_MS]


def test_a_start_before_what_was_received_waits_for_the_clock(stream: Stream) -> None:
    stream.put("a.jsonl", [check_in("a")])
    stream.drain()
    stream.now = NOON - DAY_MS
    stream.start()
    stream.put("b.jsonl", [check_in("b")])
    stream.drain()
    assert small.received(stream.books)["b"] == small.received(stream.books)["a"] > NOON
    assert stream.ticks() == [NOON]


def test_what_seems_early_to_a_clock_that_went_back_waits_for_it(stream: Stream) -> None:
    stream.put("a.jsonl", [check_in("a")])
    stream.drain()
    right, stream.now = stream.now + HOUR_MS, NOON - DAY_MS
    facts = [check_in("b"), check_in("now", right), check_in("c")]
    stream.put("b.jsonl", [*facts])
    stream.go(MINUTE_MS, 1_000)
    assert set(journalled(stream.books)) == set(once_each([check_in("a"), check_in("b")]))
    stream.now = right
    stream.go(MINUTE_MS, 1_000)
    assert journalled(stream.books) == once_each([check_in("a"), *facts])
    assert small.rejects_in(stream.books) == []
    assert stream.names() == []


# -- files


@pytest.mark.parametrize("name", [".a.jsonl", "_a.jsonl", "a.jsonl.part", "a.jsonl.tmp", "a.filepart", "a.crdownload"])
def test_an_unfinished_name_is_left_alone(stream: Stream, name: str) -> None:
    file = stream.put("a.jsonl", [check_in("a")])
    hidden = file.rename(stream.inbox / name)
    stream.go(MINUTE_MS, 1_000)
    assert journalled(stream.books) == once_each([])
    hidden.rename(file)
    stream.drain()
    assert journalled(stream.books) == once_each([check_in("a")])
    assert stream.said == []


def test_a_file_of_no_known_kind_is_left_alone_and_named_once(stream: Stream) -> None:
    (stream.inbox / "notes.txt").write_text("buy milk\n")
    stream.go(MINUTE_MS, 1_000)
    (said,) = stream.said
    assert "notes.txt is ignored" in said
    assert stream.names() == ["notes.txt"]


def test_a_file_is_waited_for_until_it_is_quiet(stream: Stream) -> None:
    file = stream.put("a.jsonl", [check_in("a")], age_ms=0)
    stream.step(QUIET_MS - 1)
    assert not stream.follower._round.facts
    with file.open("ab") as more:
        more.write(small.write_lines(stream.inbox / "b.part", [check_in("b")]).read_bytes())
    stream.touch(file, 0)
    stream.step(QUIET_MS - 1)
    assert not stream.follower._round.facts
    stream.drain()
    stream.go(1_000)
    assert journalled(stream.books) == once_each([check_in("a"), check_in("b")])


def test_a_last_line_without_its_end_is_waited_for_longer(stream: Stream) -> None:
    whole = small.write_lines(stream.inbox / "a.part", [check_in("a")])
    whole.write_bytes(whole.read_bytes()[:-20])
    file = whole.rename(stream.inbox / "a.jsonl")
    stream.touch(file, 0)
    stream.go(LONG_QUIET_MS - STEP_MS)
    assert stream.commits() == 0
    small.write_lines(file, [check_in("a")])
    stream.touch(file, 0)
    stream.go(1_000)
    assert journalled(stream.books) == once_each([check_in("a")])
    assert small.rejects_in(stream.books) == []


def test_an_empty_file_waits_for_its_writer(stream: Stream) -> None:
    file = stream.put("a.jsonl", [], age_ms=0)
    stream.go(EMPTY_QUIET_MS - STEP_MS, 1_000)
    assert stream.names() == ["a.jsonl"]
    small.write_lines(file, [check_in("a")])
    stream.touch(file, 0)
    stream.go(1_000)
    assert journalled(stream.books) == once_each([check_in("a")])


def test_what_cannot_be_read_is_put_aside_with_its_reason(stream: Stream) -> None:
    stream.put("a.csv", [b"x;y"])
    stream.put("b.jsonl", [check_in("b")])
    (stream.inbox / "c.parquet").write_bytes(b"PAR1 and no more")
    stream.touch(stream.inbox / "c.parquet", MINUTE_MS)
    stream.drain()
    assert stream.names("refused") == ["a.csv", "a.csv.reason.txt", "c.parquet", "c.parquet.reason.txt"]
    assert "needs a column mapping" in (stream.inbox / "refused" / "a.csv.reason.txt").read_text()
    assert journalled(stream.books) == once_each([check_in("b")])
    assert stream.follower.done.files_refused == 2


def test_a_name_that_is_there_already_gets_an_instant(stream: Stream) -> None:
    for number in range(3):
        stream.put("pos.jsonl", [check_in(f"{number}")])
        stream.drain()
    taken = stream.names("taken")
    assert len(taken) == 3
    assert all(name.startswith("pos.") and name.endswith(".jsonl") for name in taken)


def test_a_file_that_is_taken_away_is_told_if_it_was_begun(stream: Stream) -> None:
    stream.put("a.jsonl", [check_in(f"{number}") for number in range(600)])
    stream.step()
    (stream.inbox / "a.jsonl").unlink()
    stream.drain()
    assert len(journalled(stream.books)) == 600
    assert any("taken away" in text for text in stream.said)


def test_a_file_that_is_replaced_while_it_is_read_is_read_too(stream: Stream) -> None:
    first = [check_in(f"{number}") for number in range(600)]
    stream.put("a.jsonl", first)
    stream.step()
    stream.put("a.jsonl", [check_in("new")])
    stream.go(20_000, 200)
    assert journalled(stream.books) == once_each([*first, check_in("new")])


def test_a_file_that_grows_while_it_is_read_is_read_again(stream: Stream) -> None:
    facts = [check_in(f"{number}") for number in range(600)]
    file = stream.put("a.jsonl", facts)
    stream.step()
    small.write_lines(file, [*facts, check_in("more")])
    stream.touch(file, 0)
    stream.go(20_000, 200)
    assert set(journalled(stream.books)) == set(once_each([*facts, check_in("more")])), "some twice, as duplicates"
    assert small.verified(stream.books).differences == 0


def test_a_file_that_is_written_to_after_it_was_taken_comes_back(stream: Stream) -> None:
    stream.put("a.jsonl", [check_in("a")])
    stream.drain()
    small.write_lines(stream.inbox / "taken" / "a.jsonl", [check_in("a"), check_in("b")])
    stream.go(RECHECK_MS + 7_000, 200)
    assert set(journalled(stream.books)) == set(once_each([check_in("a"), check_in("b")]))
    assert any("written to after" in text for text in stream.said)


def test_an_inbox_that_vanishes_is_waited_for_and_holds_the_tick_back(stream: Stream) -> None:
    stream.put("a.jsonl", [check_in("a")])
    stream.drain()
    away = stream.inbox.rename(stream.inbox.with_name("elsewhere"))
    stream.go(HOUR_MS, MINUTE_MS)
    assert stream.ticks() == [NOON]
    away.rename(stream.inbox)
    stream.put("b.jsonl", [check_in("b")])
    stream.drain()
    assert journalled(stream.books) == once_each([check_in("a"), check_in("b")])
    assert stream.ticks() == [NOON, NOON + HOUR_MS]


# -- kills


@pytest.mark.parametrize("commits", range(2))
def test_a_kill_in_the_middle_of_a_file_goes_on_there(stream: Stream, commits: int) -> None:
    facts = random_facts(7, days=8, a_day=400)
    lines = [line for number, fact in enumerate(facts) for line in ([MALFORMED, fact] if number % 50 == 0 else [fact])]
    stream.put("a.jsonl", lines)
    stream.start(commits=commits)
    with pytest.raises(Died):
        stream.drain(ROUND_MS)
    stream.start()
    stream.drain()
    assert journalled(stream.books) == once_each(facts)
    assert len(small.rejects_in(stream.books)) == sum(line == MALFORMED for line in lines)


def test_a_kill_between_commit_and_move_is_harmless(stream: Stream) -> None:
    stream.put("a.jsonl", [check_in("a"), MALFORMED])
    stream.start(renames=0)
    with pytest.raises(Died):
        stream.drain()
    assert journalled(stream.books) == once_each([check_in("a")])
    assert stream.names() == ["a.jsonl"]
    stream.start()
    commits = stream.commits()
    stream.drain()
    assert stream.commits() == commits
    assert journalled(stream.books) == once_each([check_in("a")])
    assert len(small.rejects_in(stream.books)) == 1
    assert stream.names("taken") == ["a.jsonl"]


# -- what comes again


def test_a_refused_record_comes_in_when_its_file_comes_again_later(stream: Stream) -> None:
    fast = check_in("fast", stream.now + 6 * MINUTE_MS)
    stream.put("kiosk-1.jsonl", [fast, MALFORMED])
    stream.drain()
    assert (stream.follower.done.rejects, journalled(stream.books)) == (2, {})
    stream.put("kiosk-1.jsonl", [fast, MALFORMED])
    stream.drain()
    assert (stream.follower.done.rejects, stream.follower.done.refused_again) == (2, 2)
    stream.now += 10 * MINUTE_MS
    for _ in range(2):
        stream.put("kiosk-1.jsonl", [fast, MALFORMED])
        stream.drain()
    assert journalled(stream.books) == once_each([fast])
    assert len(small.rejects_in(stream.books)) == 2


def test_a_file_that_has_grown_brings_in_what_is_new_beyond_the_horizon_too(stream: Stream) -> None:
    old = [check_in(f"old-{day}", NOON - day * DAY_MS) for day in range(1, 6)]
    stream.put("day.jsonl", old)
    stream.drain()
    stream.now += 100 * DAY_MS
    stream.put("later.jsonl", [check_in("later", stream.now)])
    stream.drain()
    stream.go(2 * HOUR_MS, HOUR_MS)
    changed = msgspec.structs.replace(old[0], store_id="other")
    late, new = check_in("late", NOON - DAY_MS), check_in("new", stream.now)
    stream.put("grown.jsonl", [*old[1:], changed, late, new])
    stream.drain()
    done = stream.follower.done
    assert (done.already, done.conflicts, done.rejects) == (len(old) - 1, 1, 2)
    assert sorted(reject.reason for reject in small.rejects_in(stream.books)) == ["conflict", "too_old"]
    assert journalled(stream.books) == once_each([*old, check_in("later", NOON + 10 * MINUTE_MS + 100 * DAY_MS), new])


def test_a_conflict_is_counted(stream: Stream) -> None:
    stream.put("a.jsonl", [check_in("a")])
    stream.drain()
    stream.put("b.jsonl", [msgspec.structs.replace(check_in("a"), store_id="other")])
    stream.drain()
    assert stream.follower.done.conflicts == 1
    assert sum(commit.conflicts for commit in stream.books.read().commits()) == 1


def purchase(number: int, currency: str) -> PurchaseRecorded:
    return PurchaseRecorded("till", f"p{number}", NOON - DAY_MS, f"o{number}", currency, (), "anna")


def test_a_file_for_which_the_rules_pay_nothing_is_told_at_its_end(stream: Stream) -> None:
    stream.put("dollars.jsonl", [purchase(number, "USD") for number in range(WORTH_WARNING)])
    stream.put("euros.jsonl", [purchase(number, "EUR") for number in range(100, 100 + WORTH_WARNING)])
    stream.drain()
    (said,) = [line for line in stream.said if line.startswith("warning: ")]
    assert said.startswith("warning: none of the 20 orders is in EUR, the currency for which the rules pay: 20 in USD")


def test_of_files_of_one_event_each_nothing_is_told(stream: Stream) -> None:
    for number in range(WORTH_WARNING):
        stream.put(f"{number}.jsonl", [purchase(number, "USD")])
    stream.drain()
    assert not [line for line in stream.said if line.startswith("warning: ")]
