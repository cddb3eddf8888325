"""The lists of faults are up to date: each names lines that stand in its file exactly once."""

import shutil
from pathlib import Path

import pytest

from tests.faults.catalogue import DECIDER, PLUMBING, ROOT, STREAMING, Fault, faults

LEAST_FAULTS = {DECIDER: 25, PLUMBING: 15, STREAMING: 12}
ALL = [fault for listed in LEAST_FAULTS for fault in faults(listed)]


@pytest.mark.parametrize("listed", LEAST_FAULTS, ids=lambda listed: listed.stem)
def test_there_are_faults_enough(listed: Path) -> None:
    found = faults(listed)
    assert len(found) >= LEAST_FAULTS[listed]
    assert len({(fault.file, fault.changes) for fault in found}) == len(found)


@pytest.mark.parametrize("fault", ALL, ids=lambda fault: fault.breaks)
def test_fault_can_be_put_into_its_file(fault: Fault, tmp_path: Path) -> None:
    copy = tmp_path / fault.file
    copy.parent.mkdir(parents=True)
    shutil.copy(ROOT / fault.file, copy)
    fault.put_into(tmp_path)
    assert copy.read_text("utf-8") != (ROOT / fault.file).read_text("utf-8")
    compile(copy.read_text("utf-8"), fault.file, "exec")
