"""The rules that a draft is compared with are those that were published when its run began."""

from pathlib import Path

import msgspec
import pytest

from processors.ruleset.parse import parse_ruleset
from tallybook.folder.folder import load_published
from tallybook.folder.publish_rules import publish_ruleset
from tallybook.open_books import open_books
from tallybook.rescore.plan import RescoreRefused
from tallybook.rescore.present import present_rules
from tests.support.rescore_runs import FROM, LAST_TICK, PRESENT, draft, plan
from tests.support.small_folder import OPENED_AT, build_folder
from tests.support.small_imports import rounds_of

LATER = PRESENT.replace('version: "1"', 'version: "later"')


def test_what_was_published_after_the_run_began_is_left_out(tmp_path: Path) -> None:
    folder = build_folder(tmp_path / "shop", (), (), PRESENT, effective_from=FROM)
    with folder.writing(OPENED_AT) as log:
        rounds = rounds_of(log, load=load_published)
        publish_ruleset(rounds, LATER, parse_ruleset(LATER, "later.yaml")[0], effective_from=OPENED_AT, now=OPENED_AT)
        rounds.commit([])
    begun = msgspec.structs.replace(plan(), opened_at=OPENED_AT)
    with open_books(folder) as log:
        found = present_rules(log, begun, draft())  # its layer covers one publication
    published = found.at(LAST_TICK)
    assert published is not None
    assert published.version == "1"
    assert found.at(FROM - 1) is None


def test_other_books_are_refused(tmp_path: Path) -> None:
    folder = build_folder(tmp_path / "shop", (), (), PRESENT, effective_from=FROM)
    with open_books(folder) as log, pytest.raises(RescoreRefused, match="these are not the books"):
        present_rules(log, plan(), draft())
