"""The files of one command are one input: what stands in which file, and in which sequence they are given."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from processors.intake.file_sequence import by_name
from processors.intake.input_files import open_input
from processors.intake.input_records import InputRefused
from processors.intake.mapping import parse_mapping
from processors.intake.merge import gather
from processors.intake.refusal import Refusal
from schemas.facts import PurchaseRecorded

T: Final = "2026-11-01 10:00:00"
HEADER: Final = "o,t,m,k,a"
SETTINGS: Final[dict[str, Any]] = {
    "type": "PurchaseRecorded",
    "source": "shop",
    "timezone": "Europe/Berlin",
    "fields": {"event_id": "o", "order_id": "o", "occurred_at": "t", "member_id": "m"},
    "constants": {"currency": "EUR"},
    "lines": {"sku": "k", "amount_minor": "a"},
    "scale": {"amount_minor": 100},
    "group_by": "o",
}
ANNA: Final = f"1,{T},anna,x,1.00"
BOB: Final = f"2,{T},bob,x,5.00"
CARL: Final = f"3,{T},carl,x,2.00"


class Taken(NamedTuple):
    """What a command makes of its files: the lines of each order, what was refused, and what people are told."""

    orders: dict[str, list[tuple[str, int]]]
    refused: dict[str, Refusal]
    notes: list[str]


def take(scratch: Path, files: Mapping[str, Sequence[str] | bytes], **settings: Any) -> Taken:
    """Give files of these names to one command, in this sequence; each is its rows below a header, or its bytes."""
    how = parse_mapping(SETTINGS | settings)
    inputs = []
    for name, rows in files.items():
        content = rows if isinstance(rows, bytes) else "".join(f"{row}\n" for row in (HEADER, *rows)).encode()
        (scratch / name).write_bytes(content)
        inputs.append(open_input(scratch / name, mapping=how))
    with gather(inputs) as gathered:
        arrived = list(gathered.arrivals)
        notes = gathered.survey.notes
    orders: dict[str, list[tuple[str, int]]] = {}
    for one in arrived:
        if one.fact is not None:
            assert isinstance(one.fact, PurchaseRecorded)
            assert one.fact.event_id not in orders, "an order comes once"
            orders[one.fact.event_id] = [(line.sku, line.amount_minor) for line in one.fact.lines]
    refused = {one.refusal.event_id or one.raw.decode(): one.refusal for one in arrived if one.refusal is not None}
    return Taken(orders, refused, notes)


def sums(taken: Taken) -> dict[str, int]:
    """What each order adds up to."""
    return {key: sum(amount for _, amount in lines) for key, lines in taken.orders.items()}


# ------------------------------------------------------------------------------------------------ files without rows


BLANK: Final = [
    b"\n\n",
    b"  \n \t\n",
    b"\r\n",
    b"\xef\xbb\xbf",
    b"\xef\xbb\xbf\n",
    b"sep=;",
    b"sep=,\n\n",
    b",,,\n",
    b"\x1a",
]


@pytest.mark.parametrize("content", BLANK)
@pytest.mark.parametrize("fill", [False, True])
def test_a_file_of_blank_lines_alone_holds_no_orders(tmp_path: Path, content: bytes, fill: bool) -> None:  # noqa: FBT001 - a case of a table
    taken = take(tmp_path, {"a.csv": [ANNA], "blank.csv": content, "b.csv": [BOB]}, fill=fill)
    assert sums(taken) == {"1": 100, "2": 500}
    assert taken.notes == ["blank.csv: there are no records in this file: no row below its header makes one"]
    alone = open_input(tmp_path / "blank.csv", mapping=parse_mapping(SETTINGS))
    assert list(alone.records()) == []


def test_a_file_of_blank_lines_alone_in_utf_16_holds_no_orders(tmp_path: Path) -> None:
    taken = take(tmp_path, {"blank.csv": "\r\n\r\n".encode("utf-16")}, encoding="utf-16")
    assert (taken.orders, taken.refused) == ({}, {})


# ------------------------------------------------------------------------------------------------ files that go on

GOING_ON: Final[dict[str, list[str]]] = {
    "page1.csv": [ANNA, ",,,y,2.00"],
    "page2.csv": [",,,z,3.00", BOB],
    "page3.csv": [CARL],
    "page10.csv": [",,,w,7.00", f"10,{T},dora,x,1.00"],
}
WHOLE: Final = {"1": 600, "2": 500, "3": 900, "10": 100}


def test_files_in_the_sequence_of_their_names_go_on_with_each_other(tmp_path: Path) -> None:
    taken = take(tmp_path, GOING_ON, fill=True)
    assert sums(taken) == WHOLE
    assert not taken.refused


@pytest.mark.parametrize(
    "given",
    [
        ["page1.csv", "page10.csv", "page2.csv", "page3.csv"],
        ["page10.csv", "page3.csv", "page2.csv", "page1.csv"],
        ["page1.csv", "page3.csv", "page2.csv", "page10.csv"],
        ["page2.csv", "page1.csv"],
        ["page3.csv", "page1.csv", "page2.csv", "page10.csv"],
    ],
)
@pytest.mark.parametrize("choice", [{}, {"leave_out": {"m": ["anna", "carl"]}}, {"only": {"k": ["w", "x", "y", "z"]}}])
def test_a_file_that_goes_on_with_another_one_than_its_name_says_is_refused(
    tmp_path: Path, given: list[str], choice: dict[str, Any]
) -> None:
    with pytest.raises(InputRefused) as refused:
        take(tmp_path, {name: GOING_ON[name] for name in given}, fill=True, **choice)
    natural = " ".join(name for name in GOING_ON if name in given)
    assert f"Give the files in this sequence: {natural};" in str(refused.value)


def test_the_sequence_of_files_that_name_all_their_orders_does_not_matter(tmp_path: Path) -> None:
    files = {"page10.csv": [ANNA, ",,,y,2.00"], "page2.csv": [BOB, ",,,y,2.00"], "a.csv": [CARL]}
    assert sums(take(tmp_path, files, fill=True)) == {"1": 300, "2": 700, "3": 200}
    cut = {"page2.csv": [ANNA], "page1.csv": ["1,,,y,2.00", BOB]}
    assert sums(take(tmp_path, cut, fill=True)) == {"1": 300, "2": 500}


def test_without_fill_a_row_that_names_no_order_is_refused_alone(tmp_path: Path) -> None:
    taken = take(tmp_path, {"page2.csv": [ANNA], "page1.csv": [f",{T},carl,y,2.00", BOB]})
    assert sums(taken) == {"1": 100, "2": 500}
    assert len(taken.refused) == 1


def test_months_may_be_given_in_any_sequence_if_their_pages_are_not(tmp_path: Path) -> None:
    files = {"jan-1.csv": [ANNA], "jan-2.csv": [",,,y,2.00"], "feb-1.csv": [BOB], "feb-2.csv": [",,,z,4.00"]}
    assert sums(take(tmp_path, files, fill=True)) == {"1": 300, "2": 900}


def test_names_are_compared_with_their_numbers_as_numbers() -> None:
    names = ["x/10.csv", "orders (10).csv", "orders (2).csv", "orders.csv", "x/9.csv", "orders (1).csv"]
    by_number = ["orders.csv", "orders (1).csv", "orders (2).csv", "orders (10).csv", "x/9.csv", "x/10.csv"]
    assert sorted(names, key=by_name) == by_number
    assert sorted(["p-2.csv", "P-1.csv", "p-02.tsv"], key=by_name) == ["P-1.csv", "p-02.tsv", "p-2.csv"]


# ------------------------------------------------------------------------------------------------ keys of two columns

STORES: Final = "s,o,t,m,k,a,p"
BY_STORE: Final[dict[str, Any]] = {
    "fields": {"event_id": ["s", "o"], "order_id": "o", "store_id": "s", "occurred_at": "t", "member_id": "m"},
    "group_by": ["s", "o"],
    "fill": True,
}


def by_store(scratch: Path, form: str, *files: Sequence[str], **settings: Any) -> Taken:
    """Give files of these rows to one command, with a key of two columns in which blank cells are filled."""
    names = []
    for at, rows in enumerate(files, 1):
        cells = [row.split(",") for row in rows]
        names.append(f"page{at}.{form}")
        if form == "csv":
            (scratch / names[-1]).write_text("".join(f"{row}\n" for row in (STORES, *rows)))
        else:
            columns = zip(STORES.split(","), zip(*cells, strict=True), strict=True)
            table = {name: pa.array([cell or None for cell in column], pa.string()) for name, column in columns}
            pq.write_table(pa.table(table), scratch / names[-1])
    return take(scratch, {name: (scratch / name).read_bytes() for name in names}, **(BY_STORE | settings))


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("further", [",1,,,y,2.00,", "7,,,,y,2.00,", ",,,,y,2.00,", "7,1,,,y,2.00,"])
@pytest.mark.parametrize("cut", [0, 1, 2])
@pytest.mark.parametrize("choice", [{}, {"only": {"p": ["paid"]}}])
def test_a_key_that_is_blank_in_part_goes_on_with_the_row_above(
    tmp_path: Path, form: str, further: str, cut: int, choice: dict[str, Any]
) -> None:
    rows = [f"7,1,{T},anna,x,1.00,paid", further, further, f"7,2,{T},bob,x,5.00,paid", f"8,1,{T},carl,x,1.00,paid"]
    taken = by_store(tmp_path, form, *([rows[:cut], rows[cut:]] if cut else [rows]), **choice)
    assert sums(taken) == {"7/1": 500, "7/2": 500, "8/1": 100}
    assert not taken.refused


def test_a_part_of_a_key_below_an_order_that_is_left_out_is_nobodys(tmp_path: Path) -> None:
    rows = [f"7,1,{T},anna,x,1.00,paid", f"7,2,{T},bob,x,1.00,open", ",2,,,y,2.00,", f"8,2,{T},carl,x,1.00,paid"]
    taken = by_store(tmp_path, "csv", rows, leave_out={"p": ["open"]})
    assert sums(taken) == {"7/1": 100, "8/2": 100}


def test_an_order_whose_first_row_has_a_blank_key_is_one_of_its_own(tmp_path: Path) -> None:
    rows = [f"7,1,{T},anna,x,1.00,paid", f",2,{T},bob,x,1.00,paid", ",2,,,y,2.00,", f"7,2,{T},carl,x,1.00,paid"]
    assert sums(by_store(tmp_path, "csv", rows)) == {"7/1": 100, "/2": 300, "7/2": 100}


def test_a_part_of_a_key_that_fits_an_order_further_up_spoils_that_order(tmp_path: Path) -> None:
    rows = [f"7,1,{T},anna,x,1.00,", f"8,2,{T},bob,x,1.00,", ",1,,,y,2.00,", f"9,3,{T},carl,x,1.00,", "Sum,,,,,9.00,"]
    taken = by_store(tmp_path, "csv", rows)
    assert sums(taken) == {"8/2": 100, "9/3": 100}
    assert "line 4 gives the key of its order in part only: give it the whole key" in taken.refused["7/1"].message
    assert len(taken.refused) == 2


def test_a_file_that_begins_with_a_part_of_a_key_stands_behind_the_file_before_it(tmp_path: Path) -> None:
    first, second = [f"7,1,{T},anna,x,1.00,"], [",1,,,y,2.00,", f"7,2,{T},bob,x,1.00,"]
    assert sums(by_store(tmp_path, "csv", first, second)) == {"7/1": 300, "7/2": 100}
    backwards = {name: (tmp_path / name).read_bytes() for name in ("page2.csv", "page1.csv")}
    with pytest.raises(InputRefused, match=r"in this sequence: page1\.csv page2\.csv"):
        take(tmp_path, backwards, **BY_STORE)


# ------------------------------------------------------------------------------------------------ headers in the midst

FIVE: Final = [
    f"{order},{T},m{order},{product},{paid}.00" for order in range(5) for product, paid in (("x", 1), ("y", 2))
]


@pytest.mark.parametrize("header", [HEADER, f"\ufeff{HEADER}", '"o","t","m","k","a"', " o ,t,m,k,a"])
@pytest.mark.parametrize("fill", [False, True])
def test_an_export_below_another_one_counts_once_as_it_does_in_a_second_file(
    tmp_path: Path,
    header: str,
    fill: bool,  # noqa: FBT001 - a case of a table
) -> None:
    taken = take(tmp_path, {"both.csv": [*FIVE, header, *FIVE, f"99,{T},zoe,q,1.00"]}, fill=fill)
    assert sums(taken) == {"0": 300, "1": 300, "2": 300, "3": 300, "4": 300, "99": 100}
    assert not taken.refused
    assert taken.notes == ["both.csv: 10 rows are the same below a row that repeats the header: counted once"]


@pytest.mark.parametrize("cut", range(1, 10))
def test_pages_that_each_repeat_the_header_are_one_table(tmp_path: Path, cut: int) -> None:
    taken = take(tmp_path, {"pages.csv": [*FIVE[:cut], HEADER, *FIVE[cut:], HEADER]})
    assert sums(taken) == dict.fromkeys("01234", 300)
    assert not taken.refused
    filled = [row if at % 2 == 0 else f",,,y,{2 + at}.00" for at, row in enumerate(FIVE)]
    taken = take(tmp_path, {"pages.csv": [*filled[:cut], HEADER, *filled[cut:], HEADER]}, fill=True)
    assert sums(taken) == {"0": 400, "1": 600, "2": 800, "3": 1000, "4": 1200}
    assert not taken.refused


def test_an_export_below_the_totals_of_another_one_is_read_too(tmp_path: Path) -> None:
    rows = [ANNA, "Total,,,,9.00", HEADER, BOB, "Total,,,,9.00", CARL]
    assert sums(take(tmp_path, {"both.csv": rows}, ends_at=["Total"])) == {"1": 100, "2": 500}


TWICE: Final = "orders have all their rows twice, apart from each other, and each of them counts"


@pytest.mark.parametrize("fill", [False, True])
def test_a_file_in_which_most_orders_stand_twice_is_told(tmp_path: Path, fill: bool) -> None:  # noqa: FBT001 - a case of a table
    taken = take(tmp_path, {"both.csv": [*FIVE, *FIVE, f"99,{T},zoe,q,1.00"]}, fill=fill)
    assert sums(taken) == {"0": 600, "1": 600, "2": 600, "3": 600, "4": 600, "99": 100}
    assert taken.notes == [
        f"both.csv: 5 of 6 {TWICE}: if two exports stand below each other here, take one of them out"
    ]


def test_a_few_orders_that_stand_twice_are_not_told(tmp_path: Path) -> None:
    assert take(tmp_path, {"a.csv": [*FIVE[:8], *FIVE[:8]]}).notes == []
    others = [f"{order},{T},zoe,q,1.00" for order in range(10, 16)]
    assert take(tmp_path, {"a.csv": [*FIVE, *others, *FIVE]}).notes == []
    assert take(tmp_path, {"a.csv": [row for row in FIVE for _ in range(2)]}).notes == []


# ------------------------------------------------------------------------------------------------ files that repeat


def rows_of(product: str, paid: int) -> list[str]:
    """A row of each of five orders."""
    return [f"{order},{T},m{order},{product},{paid}.00" for order in range(5)]


@pytest.mark.parametrize(
    "given", [("a", "b", "c"), ("a", "c", "b"), ("c", "a", "b"), ("b", "a", "c"), ("a", "b", "d", "c")]
)
def test_a_file_that_repeats_any_of_those_before_it_counts_once(tmp_path: Path, given: Sequence[str]) -> None:
    files = {
        "a": rows_of("x", 1),
        "b": rows_of("y", 2),
        "c": [*rows_of("x", 1), f"99,{T},zoe,q,1.00"],
        "d": [f"50,{T},zoe,q,1.00"],
    }
    taken = take(tmp_path, {f"{name}.csv": files[name] for name in given})
    assert {key: value for key, value in sums(taken).items() if int(key) < 5} == dict.fromkeys("01234", 300)
    assert not taken.refused
    (note,) = taken.notes
    assert "counted once" in note
    assert "a.csv" in note
    assert "c.csv" in note


def test_an_order_over_three_pages_goes_on_from_the_last_one(tmp_path: Path) -> None:
    coffee, tea = f"1,{T},anna,coffee,1.00", f"1,{T},anna,tea,2.00"
    taken = take(tmp_path, {"p1.csv": [BOB, coffee], "p2.csv": [tea, tea], "p3.csv": [coffee, CARL]})
    assert sums(taken) == {"1": 600, "2": 500, "3": 200}


B: Final = f"b,{T},bob,coffee,1.00"
B_TOO: Final = f"b,{T},bob,cake,2.00"


@pytest.mark.parametrize(
    "files",
    [
        [[B, CARL], [ANNA, B]],
        [[ANNA, B], [B]],
        [[B], [B, CARL]],
        [[ANNA, B], [B, B_TOO, CARL]],
        [[B, B_TOO], [B, B_TOO, CARL]],
        [[ANNA, B, BOB], [CARL, B]],
    ],
)
def test_rows_of_a_single_order_that_come_again_are_not_guessed_at(tmp_path: Path, files: list[list[str]]) -> None:
    taken = take(tmp_path, {f"page{at}.csv": rows for at, rows in enumerate(files, 1)})
    assert taken.refused.keys() == {"b"}
    assert "further rows, or the same ones exported again" in taken.refused["b"].message
    assert not taken.notes


@pytest.mark.parametrize(
    "files", [[[B, CARL], [B, CARL, ANNA]], [[ANNA, B, CARL], [B, CARL, BOB]], [[CARL, ANNA, B], [B, ANNA, CARL, BOB]]]
)
def test_rows_of_two_orders_that_come_again_count_once(tmp_path: Path, files: list[list[str]]) -> None:
    taken = take(tmp_path, {f"page{at}.csv": rows for at, rows in enumerate(files, 1)})
    assert not taken.refused
    assert sums(taken)["b"] == 100
    assert sums(taken)["3"] == 200
