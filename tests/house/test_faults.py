"""The list of faults is up to date: each names a line that stands in the decider exactly once."""

import shutil
from pathlib import Path

import pytest

from tests.faults.catalogue import ROOT, Fault, faults

LEAST_FAULTS = 25


def test_there_are_faults_enough() -> None:
    listed = faults()
    assert len(listed) >= LEAST_FAULTS
    assert len({(fault.file, fault.mistake, fault.line) for fault in listed}) == len(listed)


@pytest.mark.parametrize("fault", faults(), ids=lambda fault: fault.breaks)
def test_fault_can_be_put_into_its_file(fault: Fault, tmp_path: Path) -> None:
    copy = tmp_path / fault.file
    copy.parent.mkdir(parents=True)
    shutil.copy(ROOT / fault.file, copy)
    fault.put_into(tmp_path)
    assert copy.read_text("utf-8") != (ROOT / fault.file).read_text("utf-8")
    compile(copy.read_text("utf-8"), fault.file, "exec")
