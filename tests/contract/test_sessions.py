"""Reading sessions, of the embedded engine and the fake: the same answers, the same refusals, the same endings."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from projections.clickhouse.client import open_chdb
from projections.serving.http_request import Request
from projections.serving.served_query import Asks, Guarded
from projections.store import QueryFailed
from tests.fakes.sessions import ENDLESS, FakeSessions
from tests.support.waiting import wait_for


@pytest.fixture(params=["fake", "chdb"])
def sessions(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Asks]:
    if request.param == "fake":
        yield FakeSessions()
        return
    with open_chdb(tmp_path / "clickhouse") as store:
        store.command("CREATE DATABASE tallybook")
        yield store.sessions()


def test_a_query_is_answered_in_its_format(sessions: Asks) -> None:
    answer = sessions.ask("SELECT 42", "TabSeparated")
    assert (answer.content, answer.rows_read) == (b"42\n", 1)
    assert sessions.ask("SELECT 42\nFORMAT TabSeparated", "CSV", mark="ab12").content == b"42\n"


def test_parameters_are_written_as_clickhouse_writes_them(sessions: Asks) -> None:
    answer = sessions.ask("SELECT {x:String}\nFORMAT TabSeparated", "TabSeparated", parameters={"x": "a\\tb\\\\"})
    assert answer.content == b"a\\tb\\\\\n"
    with pytest.raises(QueryFailed, match=r"^Code: 456\."):
        sessions.ask("SELECT {x:String}\nFORMAT TabSeparated", "TabSeparated")


def test_a_refusal_is_in_the_words_of_the_engine(sessions: Asks) -> None:
    with pytest.raises(QueryFailed, match=r"^Code: 47\. DB::Exception: "):
        sessions.ask("SELECT nothing_of_this_name", "TabSeparated")


def test_what_the_guard_asks_first_is_answered(sessions: Asks) -> None:
    guarded = Guarded(sessions)
    request = Request("SELECT  1\n", {}, {}, "", "", "")
    assert guarded.reply(request, "ab12").answer.content == b"1\n"


def test_a_query_is_ended_by_its_mark_alone(sessions: Asks) -> None:
    ended: list[str] = []

    def ask() -> None:
        try:
            sessions.ask(ENDLESS, "TabSeparated", mark="cd34")
        except QueryFailed as failed:
            ended.append(str(failed))

    sessions.kill("cd34")
    thread = threading.Thread(target=ask)
    thread.start()

    def has_ended() -> bool:
        sessions.kill("ab12")
        sessions.kill("cd34")
        return not thread.is_alive()

    wait_for("the query is ended", has_ended)
    assert ended[0].startswith("Code: 394.")


def test_closed_sessions_answer_nothing(sessions: Asks) -> None:
    sessions.close()
    sessions.kill("ab12")
    with pytest.raises(QueryFailed):
        sessions.ask("SELECT 42", "TabSeparated")
