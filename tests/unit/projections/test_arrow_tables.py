"""Columns of Python values arrive in Arrow as they were, in however many pieces they came."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.arrow_tables import ArrowRows

TEXT = st.text(max_size=5)
INT64 = st.integers(-(2**63), 2**63 - 1)
# Instants and dates are read back as the numbers that they are, so the whole width of a column is tried.
VALUES = {
    "String": TEXT,
    "LowCardinality(String)": st.sampled_from(["", "a", "é", "b"]),
    "Bool": st.integers(0, 1),
    "UInt8": st.integers(0, 2**8 - 1),
    "UInt16": st.integers(0, 2**16 - 1),
    "UInt32": st.integers(0, 2**32 - 1),
    "UInt64": st.integers(0, 2**64 - 1),
    "Int64": INT64,
    "Date32": st.integers(-(2**31), 2**31 - 1),
    "DateTime64(3, 'UTC')": INT64,
    "Nullable(UInt8)": st.none() | st.integers(0, 255),
    "Nullable(Int64)": st.none() | INT64,
    "Nullable(Date32)": st.none() | st.integers(-(2**31), 2**31 - 1),
    "Nullable(DateTime64(3, 'UTC'))": st.none() | INT64,
    "Array(LowCardinality(String))": st.lists(TEXT, max_size=3),
    "Array(String)": st.lists(TEXT, max_size=3),
    "Array(Int64)": st.lists(INT64, max_size=3),
    "Map(LowCardinality(String), String)": st.dictionaries(TEXT, TEXT, max_size=3),
}
AS_NUMBERS = {"Date32": "int32", "DateTime64": "int64"}


def read_back(kind: str, rows: ArrowRows) -> list[Any]:
    column = rows.arrow().column("x")
    for part, number in AS_NUMBERS.items():
        if part in kind:
            column = column.cast(number)
    return [dict(value) if "Map" in kind else value for value in column.to_pylist()]


@pytest.mark.parametrize("kind", VALUES)
@given(data=st.data())
def test_every_type_of_column_keeps_its_values(kind: str, data: st.DataObject) -> None:
    pieces = data.draw(st.lists(st.lists(VALUES[kind], max_size=12), min_size=1, max_size=4))
    rows = ArrowRows("t", {"x": kind})
    for piece in pieces:
        rows.extend({"x": piece})
    values = [value for piece in pieces for value in piece]
    assert rows.rows == len(values)
    assert read_back(kind, rows) == values


def test_bytes_stay_bytes() -> None:
    rows = ArrowRows("t", {"x": "String"})
    rows.extend({"x": [b"\xff\x00", b"", "é".encode()]})
    assert read_back("String", rows) == [b"\xff\x00", b"", "é".encode()]


def test_columns_go_by_name_and_not_by_place() -> None:
    rows = ArrowRows("t", {"a": "UInt8", "b": "String"})
    rows.extend({"b": ["x"], "a": [1]})
    assert rows.arrow().to_pylist() == [{"a": 1, "b": "x"}]


@pytest.mark.parametrize(
    "columns",
    [{"a": [1]}, {"a": [1], "b": ["x"], "c": [1]}, {"a": [1], "b": []}, {}],
    ids=["one missing", "one unknown", "other lengths", "none"],
)
def test_other_columns_are_a_fault_of_the_program(columns: dict[str, list[object]]) -> None:
    with pytest.raises(AssertionError, match="t was given columns"):
        ArrowRows("t", {"a": "UInt8", "b": "String"}).extend(columns)


@pytest.mark.parametrize(
    ("kind", "value"),
    [*product(["UInt8", "Nullable(UInt8)"], [-1, 256]), ("UInt64", -1), ("UInt64", 2**64), ("Int64", 2**63)],
)
def test_a_number_that_does_not_fit_is_refused(kind: str, value: int) -> None:
    with pytest.raises(OverflowError):
        ArrowRows("t", {"x": kind}).extend({"x": [value]})


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(KeyError, match="Float64"):
        ArrowRows("t", {"x": "Float64"})
