"""An account is shown to whoever has the token, by the worker that keeps it, as it is committed; others lead there."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from books.errors import BooksError
from books.kafka.cluster import Cluster
from processors.decider.account import FAR_FUTURE, Account, Lot
from processors.partition_scorer import PartitionScorer
from processors.stream.scoring import StreamScorer
from projections.serving.http_server import HttpAnswer
from schemas.bounds import DAY_MS
from schemas.facts import JournalOpened
from schemas.partitions import partition_of
from schemas.posting import FIRST_EDITION
from schemas.topics import Topics
from tallybook.folder.folder import load_published
from tallybook.stream.stages.accounts import Accounts, Owner
from tallybook.stream.stages.http import Asked

TOKEN = "a-long-random-word"  # noqa: S105 - opens nothing but what this test makes
PARTITIONS = 4
AWAY = Owner("shop-scoring-2", "http://127.0.0.1:9302")
OPENED = JournalOpened("shop", 1, PARTITIONS, 0, 90 * DAY_MS, 30 * DAY_MS, 0)


class FakeWorker:
    """A worker between two commits; with `is_busy` it never is."""

    def __init__(self, scorers: Mapping[int, StreamScorer], *, is_busy: bool = False) -> None:
        self.scorers = scorers
        self.is_busy = is_busy
        self.reads = 0

    def read_between_commits(self, read: Callable[[Mapping[int, StreamScorer]], Any], wait_seconds: float) -> Any:
        assert wait_seconds > 0
        self.reads += 1
        if self.is_busy:
            raise TimeoutError
        return read(self.scorers)


class FakeOwners:
    """What Kafka would say of owners; an error where there is one."""

    def __init__(self, owner: Owner | None, error: str = "") -> None:
        self._owner = owner
        self._error = error

    def owner(self, partition: int) -> Owner | None:
        assert 0 <= partition < PARTITIONS
        if self._error:
            raise BooksError(self._error)
        return self._owner


def scorer_with(account: Account, partition: int) -> StreamScorer:
    """A scorer that holds a partition, of which one account is known."""
    scorer = StreamScorer(Cluster("nowhere:1"), Topics("shop"), "0001", partition, load_published)
    scorer.state = PartitionScorer(partition, OPENED, (), load_published)
    scorer.state.number = 17
    scorer.state.machine.accounts.put(account)
    return scorer


def holding(member_id: str) -> FakeWorker:
    """A worker that holds the member's partition and account."""
    partition = partition_of(member_id, PARTITIONS)
    lots = [Lot(1, 50, DAY_MS, 400 * DAY_MS), Lot(2, 30, DAY_MS, FAR_FUTURE)]
    account = Account(member_id, seq=5, balance=80, earned=120, lots=lots)
    return FakeWorker({partition: scorer_with(account, partition)})


def ask(
    worker: FakeWorker,
    member_id: str,
    *,
    owners: FakeOwners | None = None,
    token: str = TOKEN,
    given: str | None = f"Bearer {TOKEN}",
    query: Mapping[str, str] | None = None,
    path: str = "",
) -> HttpAnswer:
    accounts = Accounts(
        worker, owners or FakeOwners(AWAY), PARTITIONS, deployment="shop", edition=FIRST_EDITION, token=token
    )
    headers = {} if given is None else {"authorization": given}
    return accounts.answer(Asked(path or f"/accounts/{quote(member_id, safe='')}", query or {}, headers))


@pytest.mark.parametrize("member_id", ["anna", "größe/ß?#", "a" * 200])
def test_the_committed_state_of_an_account(member_id: str) -> None:
    answer = ask(holding(member_id), member_id)
    assert answer.status == 200
    assert msgspec.json.decode(answer.body) == {
        "member_id": member_id,
        "deployment": "shop",
        "edition": "0001",
        "partition": partition_of(member_id, PARTITIONS),
        "posting_number": 17,
        "last_tick": None,
        "seq": 5,
        "balance": 80,
        "deficit": 0,
        "earned": 120,
        "lots": [
            {
                "number": 1,
                "remaining": 50,
                "available_at": "1970-01-02T00:00:00Z",
                "expires_at": "1971-02-05T00:00:00Z",
            },
            {"number": 2, "remaining": 30, "available_at": "1970-01-02T00:00:00Z", "expires_at": None},
        ],
    }


def test_nobody_s_account_is_told_so() -> None:
    worker = holding("anna")
    other = next(f"m{n}" for n in range(99) if partition_of(f"m{n}", PARTITIONS) == partition_of("anna", PARTITIONS))
    answer = ask(worker, other)
    assert answer.status == 404
    assert b"no such account" in answer.body
    assert b'"posting_number":17' in answer.body


@pytest.mark.parametrize(
    "given", [None, "", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer \udcff"]
)
def test_without_the_token_nothing_is_read(given: str | None) -> None:
    worker = holding("anna")
    answer = ask(worker, "anna", given=given)
    assert answer.status == 401
    assert "Bearer" in answer.headers["WWW-Authenticate"]
    assert worker.reads == 0


@pytest.mark.parametrize("given", [None, "Bearer ", "Bearer x"])
def test_where_no_token_is_set_nobody_is_answered(given: str | None) -> None:
    worker = holding("anna")
    answer = ask(worker, "anna", token="", given=given)
    assert answer.status == 403
    assert b"TALLYBOOK_ACCOUNTS_TOKEN" in answer.body
    assert worker.reads == 0


def test_elsewhere_leads_to_the_owner_and_no_further() -> None:
    answer = ask(FakeWorker({}), "a/b")
    assert answer.status == 307
    assert answer.headers["Location"] == "http://127.0.0.1:9302/accounts/a%2Fb?sent_on=1"
    again = ask(FakeWorker({}), "a/b", query={"sent_on": "1"})
    assert (again.status, again.headers["Retry-After"]) == (503, "1")


@pytest.mark.parametrize(
    ("owners", "said"),
    [
        (FakeOwners(None), b"no worker holds partition"),
        (FakeOwners(None, "Kafka does not answer"), b"Kafka does not answer"),
    ],
)
def test_without_an_owner_it_is_for_later(owners: FakeOwners, said: bytes) -> None:
    answer = ask(FakeWorker({}), "anna", owners=owners)
    assert answer.status == 503
    assert said in answer.body


def test_a_worker_that_lost_its_state_does_not_answer() -> None:
    worker = holding("anna")
    next(iter(worker.scorers.values())).state = None
    assert ask(worker, "anna", owners=FakeOwners(None)).status == 503


def test_a_busy_worker_is_for_later() -> None:
    assert ask(FakeWorker({}, is_busy=True), "anna").status == 503


@pytest.mark.parametrize("path", ["/accounts/", "/accounts/%ff", f"/accounts/{'a' * 201}"])
def test_what_is_no_member_is_refused(path: str) -> None:
    assert ask(holding("anna"), "anna", path=path).status == 400
