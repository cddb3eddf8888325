"""The same history gives the same books, in every version: committed digests, changed only with a reason.

A change here means that the same events are now worth something else. It needs a line in CHANGELOG.md that says why,
and in most cases a new `semantics`. To print the new values: `python -m pytest tests/contract/test_golden_digests.py`.
"""

import json
from pathlib import Path

from processors.replay.verify import verify_books
from schemas.posting import FIRST_EDITION
from tallybook.demo.year import DEMO_YEAR_STARTS_AT, DemoYear, write_demo_year
from tallybook.folder.folder import Folder, load_published
from tallybook.folder.import_files import import_files

GOLDEN = Path(__file__).parent.parent / "golden" / "digests.json"
FACTS, MEMBERS, SEED = 5_000, 200, 7
NOW = DEMO_YEAR_STARTS_AT + 400 * 86_400_000


def digests(root: Path, programme: str) -> dict[str, str]:
    folder = Folder(root)
    folder.create("golden", 8, 90, DEMO_YEAR_STARTS_AT)
    folder.copy_ruleset(programme)
    files = write_demo_year(folder.inbox, DemoYear(FACTS, MEMBERS, SEED), lambda: None)
    import_files(folder, [str(file) for file in files], None, now=NOW)
    with folder.reading() as log:
        found = verify_books(log, FIRST_EDITION, load_published)
    assert not found.differences, found.shown
    return {"journal": found.journal_digest, "ledger": found.ledger_digest}


def test_the_demo_year_under_the_coffee_chain_gives_the_committed_digests(tmp_path: Path) -> None:
    assert digests(tmp_path / "a", "coffee-chain") == json.loads(GOLDEN.read_text())["coffee-chain"]


def test_the_digests_do_not_depend_on_when_or_where_the_books_were_made(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "elsewhere")
    folder.create("another-name", 8, 90, DEMO_YEAR_STARTS_AT + 12_345)
    folder.copy_ruleset("coffee-chain")
    files = write_demo_year(folder.inbox, DemoYear(FACTS, MEMBERS, SEED), lambda: None)
    import_files(folder, [str(file) for file in reversed(files)], None, now=NOW + 1)
    with folder.reading() as log:
        found = verify_books(log, FIRST_EDITION, load_published)
    golden = json.loads(GOLDEN.read_text())["coffee-chain"]
    assert {"journal": found.journal_digest, "ledger": found.ledger_digest} == golden
