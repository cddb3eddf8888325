"""Every hostile input gets its typed reason, and what comes after it is still taken."""

import json
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest

from processors.intake.input_files import open_input
from processors.intake.input_records import MAX_KEPT_BYTES, InputRefused
from processors.intake.merge import gather
from processors.intake.refusal import RejectReason
from scripts.field_docs import REJECT_REASONS
from tests.support.hostile import (
    CORPUS,
    LargeCase,
    corpus,
    is_as_expected,
    large_cases,
    opened,
    orders_mapping,
    outcome,
    refusal_of,
)

MIN_CASES = 70


@pytest.mark.parametrize("path", corpus(), ids=lambda path: path.name)
def test_hostile_file_comes_to_what_is_expected(path: Path) -> None:
    expected = json.loads(path.with_suffix(".expected").read_text())
    if "refused" in expected:
        with pytest.raises(InputRefused) as refused:
            opened(path)
        assert expected["refused"] in str(refused.value)
        assert expected.get("line", refused.value.line) == refused.value.line
        assert path.name in str(refused.value)
        assert [outcome(read) for read in open_input(CORPUS / "good.jsonl").records()] == ["good"]
    else:
        found = [outcome(read) for read in opened(path).records()]
        assert len(found) == len(expected["outcomes"]), found
        for one, wanted in zip(found, expected["outcomes"], strict=True):
            assert is_as_expected(one, wanted), one


@pytest.mark.parametrize("case", large_cases(), ids=lambda case: case.name)
def test_large_hostile_file_comes_to_what_is_expected(case: LargeCase, tmp_path: Path) -> None:
    path = tmp_path / case.name
    path.write_bytes(case.content())
    reads = list(open_input(path, mapping=orders_mapping()).records())
    assert len(reads) == len(case.outcomes)
    for read, wanted in zip(reads, case.outcomes, strict=True):
        assert is_as_expected(outcome(read), wanted), outcome(read)
        assert len(read.raw) <= max(MAX_KEPT_BYTES, 1_000_000)
        if read.refusal is not None and read.refusal.reason == "too_large":
            assert read.headers["truncated"] == "true"
            assert int(read.headers["bytes"]) > len(read.raw) == MAX_KEPT_BYTES


def test_every_refused_record_keeps_its_bytes_and_says_what_to_change() -> None:
    kept = 0
    for path in corpus():
        if "refused" in json.loads(path.with_suffix(".expected").read_text()):
            continue
        content = path.read_bytes()
        for read in opened(path).records():
            refusal = refusal_of(read)
            if refusal is None:
                continue
            assert len(refusal.message) > len("not valid")
            if path.suffix in {".jsonl", ".csv"} and read.refusal is not None:
                assert read.raw in content.replace(b"\r\n", b"\n")
                assert read.raw
                kept += 1
    assert kept > MIN_CASES


def test_whole_corpus_imports_as_one() -> None:
    inputs = []
    for path in corpus():
        try:
            inputs.append(opened(path))
        except InputRefused:
            continue
    with gather(inputs) as gathered:
        arrivals = list(gathered.arrivals)
    assert [one.occurred_at for one in arrivals] == sorted(one.occurred_at for one in arrivals)
    assert sum(one.fact is not None for one in arrivals) > MIN_CASES


def test_corpus_is_large_and_meets_every_reason() -> None:
    reasons: Counter[str] = Counter()
    for path in corpus():
        expected = json.loads(path.with_suffix(".expected").read_text())
        reasons.update(one["reason"] for one in expected.get("outcomes", ()) if one != "good")
    assert len(corpus()) >= MIN_CASES
    # The large cases are made by the tests, and a conflict shows only beside the books.
    assert {reason for reason in get_args(RejectReason) if not reasons[reason]} == {"too_large", "conflict"}
    assert "too_large" in {case.outcomes[0]["reason"] for case in large_cases()}


def test_reasons_are_those_of_the_contract() -> None:
    assert set(get_args(RejectReason)) == set(REJECT_REASONS)
