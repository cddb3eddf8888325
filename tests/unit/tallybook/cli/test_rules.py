"""Rules are checked by file and line, shown as published, and published once they are right."""

from pathlib import Path

from tests.support.command_line import run
from tests.support.small_folder import RULES, RULES_2

EXAMPLE = """\
examples:
  - name: Two euros
    facts:
      - {purchase: anna, at: 2026-01-07T12:00, amount_minor: 200}
    expect:
      - {rule: base, points: 2}
"""


def write(folder: Path, name: str, text: str) -> str:
    file = folder / "rulesets" / "corner-shop" / name
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_check_runs_the_examples_of_every_file(folder: Path) -> None:
    write(folder, "2.yaml", RULES_2 + EXAMPLE.replace("points: 2}", "points: 4}"))
    result = run(folder, "rules", "check")
    assert result.code == 0
    assert "version 1 of corner-shop, 6 rules, 2 limits, 0 examples: all right" in result.out
    assert "version 2 of corner-shop, 6 rules, 2 limits, 1 example: all right" in result.out


def test_check_names_the_line_of_an_error(folder: Path) -> None:
    file = write(folder, "2.yaml", RULES_2.replace("per_minor: 100", "per_minor: 0"))
    (checked,) = run(folder, "rules", "check", file, "--json").json()
    assert not checked["ok"]
    assert [(finding["kind"], finding["line"]) for finding in checked["findings"]] == [("error", 11)]
    result = run(folder, "rules", "check", file)
    assert result.code == 3
    assert f"{file}:11: error: rules[base].per_minor" in result.out


def test_check_names_the_example_that_does_not_come_out(folder: Path) -> None:
    file = write(folder, "2.yaml", RULES_2 + EXAMPLE)
    result = run(folder, "rules", "check", file)
    assert result.code == 3
    assert "points is 4, not 2" in result.out
    assert f"{file}:{len(RULES_2.splitlines()) + 6}: example: Two euros" in result.out


def test_warnings_alone_refuse_nothing(folder: Path) -> None:
    file = write(folder, "other.yaml", RULES_2)
    (checked,) = run(folder, "rules", "check", file, "--json").json()
    assert checked["ok"]
    assert any("name it 2.yaml" in finding["message"] for finding in checked["findings"])
    assert {finding["kind"] for finding in checked["findings"]} == {"warning"}
    assert run(folder, "rules", "check", file).code == 0


def test_check_of_nothing_is_refused(tmp_path: Path) -> None:
    assert run(tmp_path, "rules", "check").code == 3
    result = run(tmp_path, "rules", "check", "none.yaml")
    assert result.code == 3
    assert "none.yaml" in result.err


def test_check_and_status_find_a_published_file_that_was_edited(folder: Path) -> None:
    file = write(folder, "1.yaml", RULES.replace("per_minor: 100", "per_minor: 50"))
    for asked in (["rules", "check"], ["rules", "check", file]):
        result = run(folder, *asked)
        assert result.code == 4
        assert "is not what was published as version 1" in result.out
        assert "all right" not in result.out
    (checked,) = run(folder, "rules", "check", "--json").json()
    assert not checked["ok"]
    assert run(folder, "status", "--json").json()["edited"] == "rulesets/corner-shop/1.yaml"
    write(folder, "1.yaml", RULES)
    assert run(folder, "rules", "check").code == 0
    assert run(folder, "status", "--json").json()["edited"] is None


def test_a_draft_under_a_published_version_is_told_to_take_its_own(folder: Path) -> None:
    write(folder, "draft.yaml", RULES.replace("per_minor: 100", "per_minor: 50"))
    result = run(folder, "import", "-", stdin=b"")
    assert result.code == 3
    assert "draft.yaml is not what was published as version 1" in result.err
    assert "give it a new `version:`" in result.err


def test_a_published_version_in_json(read_only: Path) -> None:
    shown = run(read_only, "rules", "show", "1", "--json").json()
    assert (shown["version"], shown["effective_from"], shown["text"]) == ("1", "1970-01-01T00:00:00Z", RULES)


def test_schema_is_a_json_schema(tmp_path: Path) -> None:
    schema = run(tmp_path, "rules", "schema").json()
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert "rules" in schema["properties"]


def test_show_gives_the_timeline_and_the_text_as_published(read_only: Path) -> None:
    (published,) = run(read_only, "rules", "show", "--json").json()
    assert (published["version"], published["effective_from"]) == ("1", "1970-01-01T00:00:00Z")
    assert run(read_only, "rules", "show", "1").out == RULES
    assert published["ruleset_hash"][:12] in run(read_only, "rules", "show").out
    result = run(read_only, "rules", "show", "7")
    assert result.code == 3
    assert "published are: 1" in result.err


def test_publish_decides_later_facts_by_the_new_rules(folder: Path) -> None:
    file = write(folder, "2.yaml", RULES_2)
    published = run(folder, "rules", "publish", file, "--effective-from", "2026-11-20", "--json").json()
    assert (published["published"], published["effective_from"]) == (True, "2026-11-19T23:00:00Z")
    again = run(folder, "rules", "publish", file, "--effective-from", "2026-11-20", "--json").json()
    assert again == {"published": False}
    event = b'{"type":"PurchaseRecorded","source":"pos","event_id":"%s","occurred_at":"%s","order_id":"o","currency":'
    event += b'"EUR","member_id":"cleo","lines":[{"sku":"x","amount_minor":1000}]}\n'
    events = event % (b"n-1", b"2026-11-19T12:00:00Z") + event % (b"n-2", b"2026-11-20T12:00:00Z")
    assert run(folder, "import", "-", stdin=events).code == 0
    paid = {}
    for event_id in ("n-1", "n-2"):
        (explained,) = run(folder, "explain", event_id, "--json").json()["events"]
        (posting,) = explained["postings"]
        paid[event_id] = (posting["rules"]["version"], posting["entries"][0]["points"])
    assert paid == {"n-1": ("1", 10), "n-2": ("2", 20)}
    assert run(folder, "verify").code == 0


def test_publish_warns_of_what_is_hardly_meant(folder: Path) -> None:
    file = write(folder, "2.yaml", RULES_2.replace("currency: EUR", "currency: USD"))
    result = run(folder, "rules", "publish", file, "--effective-from", "2500-01-01")
    assert result.code == 0
    assert "more than 10 years ahead" in result.err
    assert "its currency is USD, and that of version 1 is EUR" in result.err


def test_publish_refuses_what_cannot_be(folder: Path) -> None:
    wrong = write(folder, "2.yaml", RULES_2 + EXAMPLE)
    assert run(folder, "rules", "publish", wrong, "--effective-from", "2027-01-01").code == 3
    early = write(folder, "2.yaml", RULES_2)
    result = run(folder, "rules", "publish", early, "--effective-from", "2026-11-01")
    assert result.code == 3
    assert "--effective-from 2026-11-15T00:00:00Z" in result.err
    edited = write(folder, "1.yaml", RULES + "# edited\n")
    assert "never changes" in run(folder, "rules", "publish", edited, "--effective-from", "2027-01-01").err
    assert len(run(folder, "rules", "show", "--json").json()) == 1
