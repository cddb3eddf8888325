"""Pages of large events hold few lines, so that no page outgrows what the books (and later a broker) take."""

from pathlib import Path

from processors.embedded.rounds import Taken
from processors.journal_pages import FULL_PAGE_BYTES
from processors.replay.recovery import recover_partition
from schemas.facts import PurchaseLine, PurchaseRecorded
from schemas.pages import MAX_PAGE_LINES
from schemas.posting import FIRST_EDITION
from tallybook.folder.folder import Folder, load_published
from tallybook.folder.recovered_partitions import new_scorers
from tests.support.rounds_here import rounds_here

AT = 1_735_689_600_000


def test_large_facts_close_a_page_before_it_is_too_large(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "shop")
    folder.create("shop", 1, 90, AT)
    lines = tuple(PurchaseLine(f"sku-{n:0>180}", 100, category="c" * 190, brand="b" * 190) for n in range(1000))
    facts = [PurchaseRecorded("pos", str(n), AT + n, f"o{n}", "EUR", lines, member_id="m") for n in range(12)]
    with folder.writing(AT) as log:
        scorers = new_scorers(log, load_published)
        places = [recover_partition(log, FIRST_EDITION, scorer) for scorer in scorers]
        rounds = rounds_here(log, scorers, FIRST_EDITION, places)
        rounds.take([Taken(fact, "input", n) for n, fact in enumerate(facts, start=1)], AT + 100, AT + 100)
        rounds.commit([])
    with folder.reading() as log:
        pages = [page for _, page in log.read_journal(0)]
    assert sum(len(page.lines) for page in pages) == 1 + len(facts) + 1
    assert max(len(page.lines) for page in pages) < MAX_PAGE_LINES
    assert len(pages) > len(facts) * 500_000 // FULL_PAGE_BYTES
