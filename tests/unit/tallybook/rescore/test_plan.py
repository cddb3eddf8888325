"""The plan of a re-scoring: what is asked becomes layers over the books' rules, or is refused with what helps."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from processors.replay.rescore.two_worlds import EVERYBODY
from processors.ruleset.parse import RulesetRefused, ruleset_hash
from schemas.bounds import DAY_MS
from schemas.facts import RulesetPublished
from schemas.posting import FIRST_EDITION, RuleLayer, RuleSpan
from tallybook.folder.folder import Folder, FolderRefused
from tallybook.folder.publish_rules import PublicationRefused
from tallybook.open_books import open_books
from tallybook.rescore.cuts import make_cuts
from tallybook.rescore.plan import (
    MAX_DRAFTS,
    NEVER,
    Asked,
    LayerMaker,
    Plan,
    RescoreRefused,
    make_plan,
    read_timeline,
    worth_of,
)
from tests.fakes.books import MemoryBooks
from tests.support.command_line import run
from tests.support.deciders import published
from tests.support.rescoring import OPENED
from tests.support.small_folder import PARTITIONS, RULES, RULES_2, at, build_folder
from tests.support.small_imports import START, new_books

NOTHING = "Nothing was changed"
NOVEMBER = "2026-11-03"
# Midnight in Berlin, which is on winter time in November.
MIDNIGHT = at("2026-11-02T23:00:00Z")
LAST_TICK = at("11-15T00:00")


def files_of(root: Path) -> dict[str, str]:
    """Every file below a folder, with a digest of what is in it."""
    return {
        str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(root.rglob("*"))
        if file.is_file() and "clickhouse" not in str(file)
    }


def write(tmp_path: Path, text: str = RULES_2, name: str = "draft.yaml") -> Path:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


def planned(
    root: Path, *drafts: tuple[str, Sequence[Asked]], point_value: str = "", semantics: int | None = None
) -> Plan:
    with open_books(Folder(root)) as log:
        return make_plan(log, drafts, EVERYBODY, point_value, semantics)


def refused(
    root: Path, *drafts: tuple[str, Sequence[Asked]], point_value: str = "", semantics: int | None = None
) -> str:
    """What is said of a plan that cannot be made; the folder is as before."""
    before = files_of(root)
    with pytest.raises((RescoreRefused, PublicationRefused)) as told:
        planned(root, *drafts, point_value=point_value, semantics=semantics)
    assert files_of(root) == before
    return str(told.value)


def publish(root: Path, text: str, effective_from: str) -> None:
    """Publish one more ruleset in the folder."""
    file = root / "rulesets" / "corner-shop" / "more.yaml"
    file.write_text(text, encoding="utf-8")
    done = run(root, "rules", "publish", str(file), "--effective-from", effective_from)
    assert done.code == 0, done.err


# ------------------------------------------------------------------------------------------------ a plan


def test_a_draft_is_a_layer_over_all_publications(read_only: Path, tmp_path: Path) -> None:
    plan = planned(read_only, ("two", [Asked(write(tmp_path), NOVEMBER)]), point_value="0.01 EUR")
    (draft,) = plan.drafts
    (layer,) = draft.layers
    (span,) = layer.spans
    assert (draft.name, layer.covers) == ("two", 1)
    assert (span.from_at, span.until_at, span.published.effective_from) == (MIDNIGHT, None, MIDNIGHT)
    assert (span.published.version, span.published.semantics) == ("2", 1)
    assert (span.published.text, span.published.ruleset_hash) == (RULES_2, ruleset_hash(RULES_2))
    assert (plan.base, plan.last_tick, plan.point_value) == (FIRST_EDITION, LAST_TICK, "0.01 EUR")
    assert [cut.partition for cut in plan.cuts] == list(range(PARTITIONS))
    assert all(cut.ledger_digest for cut in plan.cuts)


def test_the_zone_data_are_those_of_the_books(read_only: Path, tmp_path: Path) -> None:
    plan = planned(read_only, ("two", [Asked(write(tmp_path), NOVEMBER)]))
    with open_books(Folder(read_only)) as log:
        facts = [line.fact for _, page in log.read_journal(0) for line in page.lines]
    (known,) = [fact.tzif for fact in facts if isinstance(fact, RulesetPublished)]
    assert plan.drafts[0].layers[0].spans[0].published.tzif == known


@pytest.mark.parametrize(
    ("typed", "instant"),
    [
        ("2026-11-03", "2026-11-02T23:00:00Z"),
        ("2026-11-03T06:00", "2026-11-03T05:00:00Z"),
        ("2026-11-03T06:00:30", "2026-11-03T05:00:30Z"),
        ("2026-11-03T06:00:00Z", "2026-11-03T06:00:00Z"),
    ],
)
def test_times_are_local_dates_local_times_or_instants(
    read_only: Path, tmp_path: Path, typed: str, instant: str
) -> None:
    plan = planned(read_only, ("two", [Asked(write(tmp_path), typed, "2026-11-10")]))
    (span,) = plan.drafts[0].layers[0].spans
    assert (span.from_at, span.until_at) == (at(instant), at("2026-11-09T23:00:00Z"))


def test_rules_from_the_very_last_tick_on_can_be_tried(read_only: Path, tmp_path: Path) -> None:
    plan = planned(read_only, ("two", [Asked(write(tmp_path), "2026-11-15T00:00:00Z")]))
    assert plan.drafts[0].layers[0].spans[0].from_at == LAST_TICK


def test_a_published_version_with_its_own_text_may_be_tried(read_only: Path, tmp_path: Path) -> None:
    plan = planned(read_only, ("one", [Asked(write(tmp_path, RULES), NOVEMBER)]))
    assert plan.drafts[0].layers[0].spans[0].published.version == "1"


def test_layers_of_the_base_stay_below(tmp_path: Path) -> None:
    one = published(RULES, "Europe/Berlin", version="1", effective_from=0)
    two = published(RULES_2, "Europe/Berlin", version="2", effective_from=0)
    below = RuleLayer(1, (RuleSpan(START, two, START + DAY_MS),))
    maker = LayerMaker([one], (below,), START + DAY_MS, None)
    asked = Asked(write(tmp_path, RULES_2.replace('"2"', '"3"')), "2026-03-24T01:00", NEVER)
    layers = maker.layers([asked])
    assert layers[0] == below
    assert [layer.covers for layer in layers] == [1, 1]


# ------------------------------------------------------------------------------------------------ publications inside


def test_a_publication_inside_the_span_is_named_with_what_can_be_done(folder: Path, tmp_path: Path) -> None:
    publish(folder, RULES_2, "2026-11-15T00:00:00Z")
    publish(folder, RULES_2.replace('"2"', '"3"').replace("points: 2,", "points: 9,"), "2026-12-01")
    file = write(tmp_path, RULES.replace('"1"', '"tried"'))
    said = refused(folder, ("tried", [Asked(file, NOVEMBER)]))
    assert f"after --from {NOVEMBER} other rules came into force" in said
    assert "2 (from 2026-11-15T00:00:00Z), 3 (from 2026-11-30T23:00:00Z)" in said
    assert "--until 2026-11-15T00:00:00Z to keep them, or --until never to replace them" in said
    assert str(file) in said
    assert NOTHING in said


def test_it_is_kept_or_replaced_as_is_said(folder: Path, tmp_path: Path) -> None:
    publish(folder, RULES_2, "2026-11-15T00:00:00Z")
    file = write(tmp_path, RULES.replace('"1"', '"tried"'))
    for until, until_at in (("2026-11-15T00:00:00Z", LAST_TICK), (NEVER, None)):
        (draft,) = planned(folder, ("tried", [Asked(file, NOVEMBER, until)])).drafts
        (layer,) = draft.layers
        assert (layer.covers, layer.spans[0].until_at) == (2, until_at)


def test_a_publication_from_the_very_beginning_of_the_span_is_not_inside(folder: Path, tmp_path: Path) -> None:
    publish(folder, RULES_2, "2026-11-15T00:00:00Z")
    file = write(tmp_path, RULES.replace('"1"', '"tried"'))
    (draft,) = planned(folder, ("tried", [Asked(file, "2026-11-15T00:00:00Z")])).drafts
    assert draft.layers[0].spans[0].until_at is None


def test_where_no_rules_were_in_force_the_first_publication_is_not_hidden(tmp_path: Path) -> None:
    root = tmp_path / "late"
    build_folder(root, effective_from=at("11-04T00:00"))
    file = write(tmp_path)
    (draft,) = planned(root, ("two", [Asked(file, NOVEMBER)])).drafts
    assert draft.layers[0].spans[0].until_at is None
    publish(root, RULES.replace('"1"', '"3"').replace("points: 1,", "points: 9,"), "2026-11-15T00:00:00Z")
    assert "3 (from 2026-11-15T00:00:00Z)" in refused(root, ("two", [Asked(file, NOVEMBER)]))


# ------------------------------------------------------------------------------------------------ refusals


def test_rules_of_the_future_are_to_be_published(read_only: Path, tmp_path: Path) -> None:
    file = write(tmp_path)
    said = refused(read_only, ("two", [Asked(file, "2026-11-16")]))
    assert "--from 2026-11-16 lies after the last tick, 2026-11-15T00:00:00Z" in said
    assert f"tallybook rules publish {file} --effective-from 2026-11-16" in said
    assert NOTHING in said


@pytest.mark.parametrize("until", [NOVEMBER, "2026-11-02"])
def test_a_span_without_an_instant_is_refused(read_only: Path, tmp_path: Path, until: str) -> None:
    said = refused(read_only, ("two", [Asked(write(tmp_path), NOVEMBER, until)]))
    assert said == f"--until {until} is not after --from {NOVEMBER}. {NOTHING}."


@pytest.mark.parametrize("from_", ["yesterday", "2026-13-01", "2026-11-03 06:00", "1762124400000", "None", ""])
def test_what_is_no_time_is_refused(read_only: Path, tmp_path: Path, from_: str) -> None:
    said = refused(read_only, ("two", [Asked(write(tmp_path), from_)]))
    assert f"--from {from_!r} is no time: write a date in Europe/Berlin" in said
    assert NOTHING in said


def test_two_spans_that_overlap_are_refused(read_only: Path, tmp_path: Path) -> None:
    one, two = write(tmp_path), write(tmp_path, RULES_2.replace('"2"', '"3"'), "three.yaml")
    spans = [Asked(two, "2026-11-05", NEVER), Asked(one, NOVEMBER, "2026-11-06")]
    said = refused(read_only, ("both", spans))
    assert said == f"version 2 and version 3 overlap at 2026-11-04T23:00:00Z: let the first end there. {NOTHING}."
    assert "overlap" in refused(read_only, ("both", [Asked(one, NOVEMBER, NEVER), Asked(two, "2026-11-05", NEVER)]))
    assert "overlap" in refused(read_only, ("both", [Asked(one, NOVEMBER, NEVER), Asked(two, NOVEMBER, NEVER)]))
    beside = [Asked(two, "2026-11-05", NEVER), Asked(one, NOVEMBER, "2026-11-05")]
    (draft,) = planned(read_only, ("both", beside)).drafts
    assert [span.published.version for span in draft.layers[0].spans] == ["2", "3"]


def test_another_programme_is_refused(read_only: Path, tmp_path: Path) -> None:
    file = write(tmp_path, RULES_2.replace("corner-shop", "book-shop"))
    said = refused(read_only, ("two", [Asked(file, NOVEMBER)]))
    assert said == f"{file} is of programme 'book-shop', and these books are of 'corner-shop'. {NOTHING}."


def test_a_published_version_with_another_text_is_refused(read_only: Path, tmp_path: Path) -> None:
    file = write(tmp_path, RULES_2.replace('"2"', '"1"'))
    said = refused(read_only, ("one", [Asked(file, NOVEMBER)]))
    assert f"{file} says it is version 1, which was published with another text" in said
    assert "`tallybook rules show 1` prints the published one" in said
    assert NOTHING in said


def test_unknown_semantics_are_refused(read_only: Path, tmp_path: Path) -> None:
    said = refused(read_only, ("two", [Asked(write(tmp_path), NOVEMBER)]), semantics=9)
    assert said == f"--semantics 9 is unknown to this program, which has [1]. {NOTHING}."


@pytest.mark.parametrize(
    "value", ["0.01", "EUR", "0 EUR", "0.00 EUR", "-1 EUR", "1,5 EUR", "0.01 eur", "1e3 EUR", "\u0661 EUR"]
)
def test_a_point_value_that_is_none_is_refused(read_only: Path, tmp_path: Path, value: str) -> None:
    said = refused(read_only, ("two", [Asked(write(tmp_path), NOVEMBER)]), point_value=value)
    assert said.startswith(f"--point-value {value!r} is no value: write an amount and a currency, such as '0.01 EUR'")
    assert NOTHING in said


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "a b", "ä", "-x", "x" * 41, "a\n"])
def test_a_name_that_no_folder_should_have_is_refused(read_only: Path, tmp_path: Path, name: str) -> None:
    said = refused(read_only, (name, [Asked(write(tmp_path), NOVEMBER)]))
    assert said.startswith(f"{name!r} is no name for a draft: up to 40 letters")
    assert "--draft NAME=FILE gives a file another one" in said
    assert NOTHING in said


def test_too_many_drafts_and_none_are_refused(read_only: Path, tmp_path: Path) -> None:
    file = write(tmp_path)
    many = [(f"d-{number}", [Asked(file, NOVEMBER)]) for number in range(MAX_DRAFTS + 1)]
    assert refused(read_only, *many).startswith("at most 8 drafts in one run, and these are 9")
    assert len(planned(read_only, *many[:MAX_DRAFTS]).drafts) == MAX_DRAFTS
    assert refused(read_only).startswith("name the rules to try: --rules FILE --from DATE")


def test_a_ruleset_with_errors_is_refused_by_its_line(read_only: Path, tmp_path: Path) -> None:
    file = write(tmp_path, RULES_2.replace("per_minor: 100", "per_minor: 0"))
    with pytest.raises(RulesetRefused, match=r"draft\.yaml:11"):
        planned(read_only, ("two", [Asked(file, NOVEMBER)]))


def test_a_ruleset_that_is_not_there_is_refused(read_only: Path, tmp_path: Path) -> None:
    with pytest.raises(FolderRefused, match=r"nowhere\.yaml: No such file"):
        planned(read_only, ("two", [Asked(tmp_path / "nowhere.yaml", NOVEMBER)]))


def test_books_without_rules_or_ticks_are_refused(tmp_path: Path) -> None:
    asked = [("two", [Asked(write(tmp_path), NOVEMBER)])]
    for books in (MemoryBooks(OPENED), new_books()):
        with pytest.raises(RescoreRefused, match="these books have no rules or no tick yet"):
            make_plan(books.read(), asked, EVERYBODY)


# ------------------------------------------------------------------------------------------------ timelines


def test_a_timeline_file_lists_spans(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "- {rules: one.yaml, from: 2026-11-03, until: 2026-11-05}\n"
        "- {rules: sub/two.yaml, from: 2026-11-05T06:30:00, until: never}\n"
        "- {rules: /three.yaml, from: 2026-11-09T06:00:00Z}\n"
        '- {rules: four.yaml, from: "2026-12-01"}\n',
        "timeline.yaml",
    )
    assert read_timeline(file) == [
        Asked(tmp_path / "one.yaml", "2026-11-03", "2026-11-05"),
        Asked(tmp_path / "sub" / "two.yaml", "2026-11-05T06:30:00", "never"),
        Asked(Path("/three.yaml"), "2026-11-09T06:00:00Z", ""),
        Asked(tmp_path / "four.yaml", "2026-12-01", ""),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "", id="empty"),
        pytest.param("[]", "write a list of", id="an empty list"),
        pytest.param("rules: one.yaml", "write a list of", id="a mapping"),
        pytest.param("- one.yaml", "timeline.yaml:1: each item must have `rules` and `from`", id="a name"),
        pytest.param("- {rules: one.yaml}", "each item must have `rules` and `from`", id="no beginning"),
        pytest.param(
            "- {rules: a, from: 2026-11-03}\n- {from: 2026-11-03}",
            "timeline.yaml:2: each item must have",
            id="no rules",
        ),
        pytest.param("- {rules: a, from: 2026-11-03, to: 2026-11-04}", "each item must have", id="a key too many"),
        pytest.param("- {rules: [a], from: 2026-11-03}", "`rules` must be a file name", id="rules that are a list"),
        pytest.param("- {rules: a, from: 2026-11-03, until: {}}", "`until` must be a time", id="a mapping for one"),
        pytest.param("- {rules: a, from: null}", "timeline.yaml:1:", id="nothing for a time"),
        pytest.param("- {rules: a, from", "timeline.yaml:1:", id="no YAML"),
        pytest.param("[" * 5_000, "timeline.yaml:1:", id="too deep"),
    ],
)
def test_a_file_that_is_no_timeline_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = write(tmp_path, text, "timeline.yaml")
    with pytest.raises(RescoreRefused) as told:
        read_timeline(file)
    assert str(told.value).startswith(f"{file}:")
    assert said in str(told.value)
    assert NOTHING in str(told.value)


def test_a_timeline_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RescoreRefused, match="nowhere"):
        read_timeline(tmp_path / "nowhere.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RulesetRefused, match=r"bytes\.yaml"):
        read_timeline(tmp_path / "bytes.yaml")


# ------------------------------------------------------------------------------------------------ pieces


@pytest.mark.parametrize(
    ("points", "point_value", "worth"),
    [
        (-1250, "0.01 EUR", "-12.50 EUR"),
        (1_234_567, "1 JPY", "1,234,567 JPY"),
        (3, "0.000000001 EUR", "0.000000003 EUR"),
        (0, "0.01 EUR", "0.00 EUR"),
        (10**15, "123456789.123456789 EUR", "123,456,789,123,456,789,000,000.000000000 EUR"),
        (5, "", ""),
    ],
)
def test_worth_is_exact(points: int, point_value: str, worth: str) -> None:
    assert worth_of(points, point_value) == worth


@pytest.mark.parametrize(("given", "taken"), [("0.01 EUR", "0.01 EUR"), ("0.01EUR", "0.01 EUR"), (" 2 USD ", "2 USD")])
def test_a_point_value_is_written_one_way(read_only: Path, tmp_path: Path, given: str, taken: str) -> None:
    plan = planned(read_only, ("two", [Asked(write(tmp_path), NOVEMBER)]), point_value=given)
    assert plan.point_value == taken


def test_the_cuts_are_where_the_ledger_ends(read_only: Path) -> None:
    with open_books(Folder(read_only)) as log:
        cuts, last_tick = make_cuts(log, FIRST_EDITION)
        assert last_tick == LAST_TICK
        for partition, cut in enumerate(cuts):
            last = log.last_page(partition)
            assert last is not None
            assert (cut.partition, cut.page, cut.closes_at) == (partition, last.page, None)
            assert cut.postings == sum(len(batch) for _, batch in log.read_ledger(FIRST_EDITION, partition))
