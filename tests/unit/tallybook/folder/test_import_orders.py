"""Orders of several rows come into the books whole and once, whichever of their files is given again."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from books.files.consumed import NO_CACHE
from processors.intake.mapping import parse_mapping
from schemas.facts import PurchaseRecorded
from tests.fakes.books import MemoryBooks
from tests.support import small_imports as small
from tests.support.small_imports import Died, new_books, take
from tests.support.whole_books import rejects_of

HEADER: Final = "receipt;time;card;article;paid"
MAPPING: Final = parse_mapping(
    {
        "type": "PurchaseRecorded",
        "source": "till",
        "timezone": "UTC",
        "delimiter": ";",
        "fields": {"event_id": "receipt", "order_id": "receipt", "occurred_at": "time", "member_id": "card"},
        "constants": {"currency": "EUR"},
        "lines": {"sku": "article", "amount_minor": "paid"},
        "scale": {"amount_minor": 100},
        "group_by": "receipt",
    }
)
FILLED: Final = MAPPING.model_copy(update={"fill": True})
ANNA: Final = "7001;2026-04-01 09:15:00;anna;espresso;25.00"
ANNA_TOO: Final = "7001;2026-04-01 09:15:00;anna;machine;300.00"
BERT: Final = "7002;2026-04-02 09:15:10;bert;bun;10.00"
BERT_TOO: Final = "7002;2026-04-02 09:15:10;bert;grinder;300.00"
CARL: Final = "7003;2026-04-03 09:16:10;carl;bun;10.00"


class Shop:
    """Imports files of rows into new books; each has a name of its own, as no two exports are one file."""

    def __init__(self, scratch: Path) -> None:
        self.books: MemoryBooks = new_books()
        self._scratch = scratch
        self._names = count()

    def file(self, *rows: str) -> Path:
        return self.file_named(f"export-{next(self._names)}.csv", *rows)

    def file_named(self, name: str, *rows: str) -> Path:
        path = self._scratch / str(next(self._names)) / name
        path.parent.mkdir()
        path.write_text("".join(f"{row}\n" for row in (HEADER, *rows)))
        return path

    def take(self, *files: Path, **options: Any) -> Any:
        return take(self.books, files, **{"mapping": MAPPING} | options)

    def orders(self) -> dict[str, list[int]]:
        """The lines' amounts of every order that counts: the first one of its key in the journal."""
        orders: dict[str, list[int]] = {}
        for partition in range(small.PARTITIONS):
            for line in small.journal(self.books, partition):
                if isinstance(line.fact, PurchaseRecorded):
                    orders.setdefault(line.fact.event_id, [each.amount_minor for each in line.fact.lines])
        return orders


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_refused_order_comes_in_whole_with_the_mended_file(shop: Shop) -> None:
    done = shop.take(shop.file(ANNA, ANNA_TOO.replace("machine", "machine; large"), BERT))
    assert (done.facts, done.rejects, done.conflicts) == (1, 1, 0)
    (kept,) = rejects_of(shop.books.read())
    assert kept.raw.count(b"7001;") == 2
    done = shop.take(shop.file(ANNA, ANNA_TOO, BERT))
    assert (done.rejects, done.conflicts, done.duplicates) == (0, 0, 1)
    assert shop.orders() == {"7001": [2_500, 30_000], "7002": [1_000]}


@pytest.mark.parametrize("as_is", [False, True])
def test_each_file_of_an_order_is_known_again(shop: Shop, *, as_is: bool) -> None:
    first, second = shop.file(ANNA, BERT), shop.file(BERT_TOO, CARL)
    assert shop.take(first, second, as_is=as_is).facts == 3
    for again in ([first], [second], [second, first], [first, second]):
        done = shop.take(*again, as_is=as_is)
        assert (done.facts, done.rejects) == (0, 0), again
    assert shop.orders() == {"7001": [2_500], "7002": [1_000, 30_000], "7003": [1_000]}


def test_a_file_whose_rows_all_belong_to_orders_of_another_is_known_again(shop: Shop) -> None:
    first, second = shop.file(ANNA, BERT, CARL), shop.file(BERT_TOO, ANNA_TOO)
    for as_is in (False, True):
        shop.books = new_books()
        assert shop.take(first, second, as_is=as_is).facts == 3
        assert shop.take(second, as_is=as_is).records == 0


@pytest.mark.parametrize("as_is", [False, True])
@pytest.mark.parametrize("dies", [False, True])
def test_a_row_that_takes_its_time_from_the_row_above_is_known_again(shop: Shop, *, as_is: bool, dies: bool) -> None:
    first, second = shop.file(ANNA), shop.file(BERT, "7001;;;machine;300.00")
    if dies:
        with suppress(Died):
            shop.take(first, second, as_is=as_is, dies_after=1, mapping=FILLED)
    shop.take(first, second, as_is=as_is, mapping=FILLED)
    for again in ([second], [first], [second], [first, second], [second, first]):
        done = shop.take(*again, as_is=as_is, mapping=FILLED)
        assert (done.facts, done.rejects, done.has_alarm) == (0, 0, False), again
    assert shop.orders() == {"7001": [2_500, 30_000], "7002": [1_000]}


def test_an_import_of_what_is_known_writes_nothing(shop: Shop) -> None:
    files = [shop.file(ANNA), shop.file(BERT, CARL)]
    shop.take(*files)
    committed = shop.books.read().committed()
    assert shop.take(*files).records == 0
    assert shop.take(files[1]).records == 0
    assert shop.books.read().committed() == committed


def test_a_mended_file_alone_brings_in_no_part_of_an_order(shop: Shop) -> None:
    first, wrong = shop.file(ANNA, BERT), shop.file(BERT_TOO.replace("300", "?"), CARL)
    assert shop.take(first, wrong).rejects == 1
    (kept,) = rejects_of(shop.books.read())
    assert kept.message.endswith(
        f"Its rows stand in '{first.name}', '{wrong.name}': "
        "give all these files again, in one command, under these names"
    )
    mended = shop.file_named(wrong.name, BERT_TOO, CARL)
    for alone in (wrong, wrong, first, mended, mended):
        done = shop.take(alone)
        assert (done.facts - done.duplicates, done.has_alarm) == (0, True), alone
        assert "7002" not in shop.orders()
    messages = [reject.message for reject in rejects_of(shop.books.read())]
    assert len(messages) == 3, "of the first file alone, and of the mended one, however often they are given"
    assert f"(reject 1), and has 1 here, without those in '{first.name}'" in messages[2]
    done = shop.take(first, mended)
    assert (done.rejects, done.refused_again, done.conflicts) == (0, 0, 0)
    assert shop.orders()["7002"] == [1_000, 30_000]
    assert NO_CACHE.past(shop.books.read()).mended == {1, 2, 3}
    assert [shop.take(*files).has_alarm for files in ([first], [mended], [wrong], [mended, first])] == [False] * 4


def test_an_order_is_whole_where_its_first_file_was_the_wrong_one(shop: Shop) -> None:
    wrong, second = shop.file(ANNA, BERT.replace("10.00", "?")), shop.file(BERT_TOO, CARL)
    assert shop.take(wrong, second).rejects == 1
    done = shop.take(second)
    assert (done.facts, done.refused_again, done.standing_reject) == (0, 1, 1), "it is not called taken in"
    mended = shop.file_named(wrong.name, ANNA, BERT)
    assert (shop.take(mended).rejects, shop.take(mended, second).rejects) == (1, 0)
    assert shop.orders()["7002"] == [1_000, 30_000]
    assert NO_CACHE.past(shop.books.read()).mended == {1, 2}
    assert [shop.take(*files).has_alarm for files in ([second], [mended], [second, mended])] == [False] * 3


def test_an_order_that_turned_out_to_be_two_comes_in_with_all_its_files(shop: Shop) -> None:
    first, wrong = shop.file(ANNA, BERT), shop.file(CARL.replace("7003", "7002"))
    assert shop.take(first, wrong).rejects == 1
    mended = shop.file_named(wrong.name, CARL)
    assert shop.take(first, mended).rejects == 0
    assert shop.orders() == {"7001": [2_500], "7002": [1_000], "7003": [1_000]}


def test_of_two_exports_the_newer_one_may_come_alone(shop: Shop) -> None:
    older, newer = shop.file(ANNA, CARL, BERT, BERT_TOO), shop.file(ANNA, CARL, BERT.replace("10.00", "?"))
    assert shop.take(older, newer).rejects == 1
    mended = shop.file_named(newer.name, ANNA, CARL, BERT.replace("10.00", "8.00"))
    assert shop.take(mended).rejects == 0
    assert shop.orders()["7002"] == [800]


def test_further_rows_in_a_later_command_are_a_conflict(shop: Shop) -> None:
    first, second = shop.file(ANNA, BERT), shop.file(BERT_TOO, CARL)
    shop.take(first)
    assert shop.take(second).conflicts == 1
    assert shop.orders().keys() == {"7001", "7002", "7003"}
    shop.books = new_books()
    shop.take(first)
    done = shop.take(first, second)
    assert (done.records, done.conflicts) == (2, 1), "the order has changed, and is not passed over"


def test_an_order_whose_rows_came_apart_is_never_called_taken_in(shop: Shop) -> None:
    first, second = shop.file(ANNA, BERT), shop.file(BERT_TOO, CARL)
    shop.take(first)
    assert shop.take(second).conflicts == 1
    for files, facts in (([first, second], 1), ([second, first], 0), ([first, second], 0)):
        done = shop.take(*files)
        assert (done.facts, done.conflicts, done.already) == (facts, 1, 0), "kept beside its parts once, told each time"
        assert done.has_alarm


@pytest.mark.parametrize("as_is", [False, True])
def test_an_order_is_the_same_in_whichever_order_its_files_are_given(shop: Shop, *, as_is: bool) -> None:
    first, second = shop.file(ANNA, BERT), shop.file(BERT_TOO, CARL)
    shop.take(first, second, as_is=as_is)
    grown = shop.file(BERT_TOO, CARL, ANNA_TOO.replace("7001", "7004"))
    done = shop.take(grown, first, as_is=as_is)
    assert (done.facts, done.conflicts) == (2, 0), "a repeat of 7003, and 7004"
    assert shop.take(first, grown, as_is=as_is).facts == 0
    assert shop.orders().keys() == {"7001", "7002", "7003", "7004"}


@pytest.mark.parametrize("seed", range(6))
def test_orders_come_in_once_however_often_the_import_is_killed(shop: Shop, tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    rows = [
        f"{number};2026-04-{1 + number // 4:02} {number % 24:02}:00:00;m-{number % 5};sku-{line};{line + 1}.00"
        for number in range(60)
        for line in range(chance.randint(1, 4))
    ]
    (tmp_path / "whole").mkdir()
    whole = Shop(tmp_path / "whole")
    whole.take(whole.file(*rows))
    chance.shuffle(rows)
    cuts = sorted(chance.sample(range(1, len(rows)), 3))
    files = [shop.file(*rows[begin:end]) for begin, end in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    for commits in (0, 3, 5):
        with suppress(Died):
            shop.take(*files, dies_after=commits)
    shop.take(*files)
    assert not _conflicts(shop, files)
    assert {key: sorted(paid) for key, paid in shop.orders().items()} == whole.orders()


def _conflicts(shop: Shop, files: Sequence[Path]) -> int:
    """How many orders of these files, each given alone, the books do not know as theirs."""
    return sum(done.conflicts + done.facts for done in (shop.take(file) for file in files))


@pytest.mark.parametrize("as_is", [False, True])
def test_rows_that_name_no_order_are_not_paid_again_below_another_file(shop: Shop, *, as_is: bool) -> None:
    options: dict[str, Any] = {"mapping": FILLED, "as_is": as_is}
    first = shop.file_named("a.csv", ANNA)
    other = shop.file_named("b.csv", CARL)
    second = shop.file_named("c.csv", ";;;machine;300.00", BERT)
    assert shop.take(first, second, **options).facts == 2
    done = shop.take(other, second, **options)
    assert (done.facts, done.rejects) == (0, 1)
    (kept,) = rejects_of(shop.books.read())
    assert kept.event_id == "7003"
    assert "this order goes on in 'c.csv', whose first rows name no order. They came before" in kept.message
    assert shop.take(other, **options).facts == 1
    assert shop.take(first, second, **options).facts == 0
    assert shop.orders() == {"7001": [2_500, 30_000], "7002": [1_000], "7003": [1_000]}


def test_an_order_that_was_refused_comes_in_with_its_rows_that_name_no_order(shop: Shop) -> None:
    second = shop.file_named("b.csv", ";;;machine;300.00", BERT)
    shop.take(shop.file_named("a.csv", ANNA.replace("25.00", "?")), second, mapping=FILLED)
    assert shop.take(shop.file_named("a.csv", ANNA), second, mapping=FILLED).rejects == 0
    assert shop.orders() == {"7001": [2_500, 30_000], "7002": [1_000]}


SKU_FIRST: Final = MAPPING.model_copy(update={"delimiter": ","})
BELOW: Final = "article,receipt,time,card,paid"


@pytest.mark.parametrize(
    "broken", ["milk, fresh,1,{at},anna,2.00", "1,{at},anna,2.00", 'milk "fresh,1,{at},anna,"2.00']
)
def test_a_broken_row_of_no_certain_key_waits_for_the_other_file_of_its_order(tmp_path: Path, broken: str) -> None:
    def table(folder: str, name: str, *rows: str) -> Path:
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_text("".join(f"{row}\n" for row in (BELOW, *rows)))
        return tmp_path / folder / name

    shop, at = Shop(tmp_path), "2026-04-01 09:15:00"
    first = table("old", "a.csv", f"x,1,{at},anna,1.00")
    second = table("old", "b.csv", broken.format(at=at), f"q,2,{at},bert,5.00")
    assert shop.take(first, second, mapping=SKU_FIRST).rejects >= 1
    assert "1" not in shop.orders()
    mended = table("new", "b.csv", f'"milk, fresh",1,{at},anna,2.00', f"q,2,{at},bert,5.00")
    done = shop.take(mended, mapping=SKU_FIRST)
    assert "1" not in shop.orders()
    assert done.rejects == 1
    assert shop.take(first, mended, mapping=SKU_FIRST).conflicts == 0
    assert shop.orders() == {"1": [100, 200], "2": [500]}
