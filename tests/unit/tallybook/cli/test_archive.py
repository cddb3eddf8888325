"""An archive of 1997 comes in, under the rules that the folder has, and files of later years follow it."""

from pathlib import Path

from tests.support.command_line import run
from tests.support.fact_samples import PURCHASE, json_of


def test_an_archive_of_1997_is_taken_and_scored(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    assert run(tmp_path, "init", str(shop)).code == 0
    years = {"a-1970": "1970-01-01T00:00:00Z", "a-1997": "1997-05-01T10:00:00+02:00", "a-2026": "2026-11-11T11:11:11Z"}
    for event_id, when in years.items():
        file = tmp_path / f"{event_id}.jsonl"
        event = {"event_id": event_id, "order_id": event_id, "occurred_at": when}
        file.write_bytes(json_of(PURCHASE, **event, lines=[{"sku": "a", "amount_minor": 1000}]) + b"\n")
        assert run(shop, "import", "--no-project", str(file)).code == 0
    assert run(shop, "verify").code == 0
    for event_id in years:
        assert "+10" in run(shop, "explain", event_id).out


def test_what_is_before_1970_is_refused_with_the_year(tmp_path: Path) -> None:
    file = tmp_path / "old.jsonl"
    file.write_bytes(json_of(PURCHASE, occurred_at="1969-12-31T23:59:59Z") + b"\n")
    told = run(tmp_path, "check", str(file))
    assert told.code == 4
    assert "before 1970-01-01" in told.out.replace("\n", " ")
