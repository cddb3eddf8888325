"""The benchmark compares like with like: the plain loop finds our points, and every figure of the table is there."""

import json
from pathlib import Path

import pytest

from benchmarks.demo_books import DemoBooks, import_year, read_books, write_inbox
from benchmarks.embedded import main
from benchmarks.passes import LedgerPass, LibraryPass, LoopPass
from benchmarks.report import table, write_block
from benchmarks.timing import Timings, take_turns

pytestmark = pytest.mark.long

FACTS = 3_000  # a hundred members, few enough to be quick and enough that every rule of the coffee chain pays


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> DemoBooks:
    place = tmp_path_factory.mktemp("demo")
    folder, _ = import_year(place / "folder", write_inbox(place, FACTS))
    return read_books(folder)


def test_the_plain_loop_finds_the_same_points_in_every_account(books: DemoBooks) -> None:
    ledger, loop = LedgerPass(books, Timings()), LoopPass(books, Timings())
    ledger.run()
    loop.run()
    assert len(books.events) == FACTS
    assert loop.balances() == ledger.balances()


def test_every_rule_of_the_plain_loop_pays_as_often_as_ours(books: DemoBooks) -> None:
    ledger, loop = LedgerPass(books, Timings()), LoopPass(books, Timings())
    ledger.run()
    loop.run()
    assert loop.awards == ledger.awards()
    assert len(ledger.awards()) > 10


def test_the_library_reads_and_writes_what_we_read_and_write(books: DemoBooks) -> None:
    library = LibraryPass(books, Timings())
    library.run()
    assert library.written == [body for part in books.pages for body in part] + library.postings


def test_the_table_has_every_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--facts", "60", "--repeats", "1", "--json", str(tmp_path / "figures.json")])
    shown = capsys.readouterr().out
    assert "the same points in every account" in shown
    assert shown.count("reached") == 4
    micros = json.loads((tmp_path / "figures.json").read_text())["micros"]
    assert {"decode", "fold", "encode", "path", "digests", "import", "projection", "whole", "loop"} <= micros.keys()
    assert all(value > 0 for value in micros.values())


def test_passes_take_turns() -> None:
    seen: list[str] = []
    take_turns([lambda: seen.append("a"), lambda: seen.append("b")], 2)
    assert seen == ["a", "b", "a", "b"]


def test_the_best_pass_counts() -> None:
    times = Timings()
    for seconds in (3.0, 1.0, 2.0):
        times.note("piece", seconds, 4)
    assert (times.micros("piece"), times.last) == (250_000, 2.0)


def test_a_table_stands_in_line() -> None:
    assert table(("what", "µs"), [("a", "10.5"), ("longer", "1.0")]) == [
        "| what   |   µs |",
        "|--------|-----:|",
        "| a      | 10.5 |",
        "| longer |  1.0 |",
    ]


def test_a_block_of_a_page_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("head\n<!-- one: begin -->\nold\n<!-- one: end -->\n<!-- two: begin -->\n<!-- two: end -->\ntail\n")
    write_block("one", ["new", "lines"], page)
    write_block("two", ["second"], page)
    assert page.read_text().splitlines() == [
        "head",
        *("<!-- one: begin -->", "new", "lines", "<!-- one: end -->"),
        *("<!-- two: begin -->", "second", "<!-- two: end -->", "tail"),
    ]
    with pytest.raises(ValueError, match="needs one line <!-- three: begin -->"):
        write_block("three", [], page)
