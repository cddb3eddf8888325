"""The page of a report: whole in itself, every number there, every text escaped, and readable without colours."""

import re
import shlex
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from processors.replay.rescore.differences import Cause, LotsLeft
from processors.replay.rescore.two_worlds import Selection
from schemas.instants import parse_instant
from tallybook.rescore.plan import Plan
from tallybook.rescore.report.figures import read_figures
from tallybook.rescore.report.page import render_page
from tests.support.rescore_runs import FROM, OPENED_AT, RULES, draft, line, member, plan, present, span, write_run

HOSTILE = "<b>x</b>\"'&"
APRIL = parse_instant("2026-04-30T22:00:00Z")
VOID = frozenset({"meta", "br"})
LINES = [
    line("anna", 6_078, 3_039),
    line("anna", 60, 45, rule_id="beans", cause=Cause.KNOCK_ON),
    line("ben", 0, 400, rule_id="visits", fact_type="CheckedIn"),
    line("ben", -200, -80, rule_id="", cause=Cause.EXPIRY, local_day=20_500),
]
MEMBERS = [
    member("anna", 13_664, 10_610, LotsLeft(APRIL, 5_000, 1_946)),
    member("ben", 20, 540, LotsLeft(None, 20, 540)),
]


class Page(HTMLParser):
    """A page taken apart: its elements with their attributes, its text; it fails where elements do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        """All that is read, with single blanks."""
        return " ".join(" ".join(self.words).split())

    def named(self, tag: str) -> list[dict[str, str]]:
        """The attributes of all elements of a name."""
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(
    root: Path,
    planned: Plan | None = None,
    lines: object = None,
    members: object = None,
    *,
    is_proven: bool = True,
) -> str:
    """The page of the first draft, over LINES and MEMBERS unless others are given."""
    made = plan() if planned is None else planned
    first = made.drafts[0]
    rows = {first.name: LINES if lines is None else lines}, {first.name: MEMBERS if members is None else members}
    run = write_run(root, made, *rows, is_proven=is_proven)  # type: ignore[arg-type]  # lists of rows, or the default
    return render_page(made, first, present(), read_figures(run, first), OPENED_AT)


@pytest.fixture
def text(tmp_path: Path) -> str:
    return page_of(tmp_path)


def test_nothing_is_fetched_and_nothing_runs(text: str) -> None:
    page = Page(text)
    assert "script" not in {name for name, _ in page.elements}
    assert not page.named("link")
    assert not page.named("img")
    for _, attributes in page.elements:
        assert not attributes.keys() & {"src", "href", "xlink:href", "action", "data", "srcset"}
        assert not [name for name in attributes if name.startswith("on")]
    assert set(re.findall(r"\w+://[^\s\"'<]+", text)) == {"http://www.w3.org/2000/svg"}  # a name, not a place
    assert not re.search(r"@import|url\(|//fonts|javascript:", text)
    policy = next(each["content"] for each in page.named("meta") if "http-equiv" in each)
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


def test_every_number_is_there(text: str) -> None:
    said = Page(text).text
    for number in [
        "With the draft, 1 (3 %) of 40 members would have had fewer points on 1 March 2026;",
        "; 1 (3 %) would have had more.",
        "The liability would have been 2,534 points (less than 1 %) lower, worth 25.34 EUR.",
        "Average loss 3,054 points among those who lose; median 3,054",
        "Average gain 520 points among those who gain; median 520",
        "Members not affected 38 of 40; 95 %",
        "Purchases and other facts that earn otherwise 1 of 10 decisions on record",
        "1,000,000 → 997,466 present rules → draft",
        "−25.34 EUR at 0.01 EUR a point",
        "All figures are those of 1 March 2026, up to which the books were read.",
        "begun 2 March 2026, 10:30",
        "balance 13,664 → 10,610 points, worth −30.54 EUR",
        "balance 20 → 540 points, worth 5.20 EUR",
        "Check passed: deciding the present rules again gave exactly the points on record.",
    ]:
        assert number in said
    assert "base the rule itself 1 6,078 3,039 −3,039 −30.39" in said
    assert "beans knock-on 1 60 45 −15 −0.15" in said
    assert "points that expire 1 −200 −80 +120 1.20" in said


def test_what_was_tried_is_said_in_words(text: str) -> None:
    said = Page(text).text
    assert "Period: 1 January to 1 March 2026 (Europe/Berlin)." in said
    assert "The draft is version 2; the present rules are version 1." in said
    assert "“base” : 1 point per 2.00 EUR instead of 1 point per 1.00 EUR." in said
    assert "The other 3 rules, all limits and the expiry of points are the same in both." in said


def test_each_time_with_other_rules_is_told(tmp_path: Path) -> None:
    february, march = parse_instant("2026-01-31T23:00:00Z"), parse_instant("2026-02-10T23:00:00Z")
    other = RULES.replace("per_minor: 200", "per_minor: 300")
    said = Page(page_of(tmp_path, plan(draft("two", span(RULES, FROM, february), span(other, march))))).text
    assert "Period: 1 January to 31 January 2026; 11 February to 1 March 2026 (Europe/Berlin)." in said
    assert "1 January to 31 January 2026: The draft is version 2; the present rules are version 1." in said
    assert "1 point per 3.00 EUR instead of 1 point per 1.00 EUR." in said


def test_what_changes_against_the_rules_is_explained(text: str) -> None:
    said = Page(text).text
    limit = "because more of the limit “treats-a-week” (60 points a week) was used up before"
    assert f"1 purchase earns 15 points less under “beans”, which stays the same, {limit}." in said
    assert f"“beans”: 1 award is 15 points less in all, though the rule says the same, {limit}." in said


def test_the_liability_and_what_the_page_does_not_say_are_there(text: str) -> None:
    said = Page(text).text
    assert "Liability: the points that members hold and can still use, because they have not expired." in said
    assert "It is no forecast." in said
    assert "published rules hold from a day to come" in said
    assert "Points that members have spent are not in it" in said


def test_losers_and_winners_have_a_sentence_each(text: str) -> None:
    said = Page(text).text
    assert (
        "Member anna loses 3,054 points : 1 purchase earns 3,039 points less under “base”, which gives 1 point" in said
    )
    assert "Member ben gains 520 points : 1 check-in earns 400 points more under “visits”" in said
    assert "120 points fewer expire (80 instead of 200)." in said


def test_what_may_be_done_is_said_as_commands(text: str) -> None:
    said = Page(text).text
    for command in [
        "tallybook rescore why --draft half 0001 anna",
        "tallybook rescore export 0001 --draft half --csv --output differences.csv",
        "tallybook sql \"SELECT * FROM rescore_by_store WHERE run = '0001' AND draft = 'half'\"",
        "tallybook rules publish FILE --effective-from DATE",
        "tallybook rescore discard 0001",
    ]:
        assert said.count(command) == 1


def test_only_publishing_is_said_to_change_what_members_get(text: str) -> None:
    said = Page(text).text
    safe, changing = "Safe: nothing changes for any member", "This one changes what members get"
    commands = ["rescore why", "rescore export", "tallybook sql", "rescore run", "rescore discard", "rules publish"]
    places = [said.index(words) for words in [safe, *commands[:-1], changing, commands[-1]]]
    assert places == sorted(places)


def test_charts_have_a_title_a_description_and_their_numbers_as_a_table(text: str) -> None:
    page = Page(text)
    charts = page.named("svg")
    assert [each["id"] for each in charts] == ["chart-by-rule", "chart-by-week", "chart-by-size", "chart-by-month"]
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for each in charts:
        assert each["role"] == "img"
        assert set(each["aria-labelledby"].split()) <= set(ids)
        assert "width" not in each  # it fits the screen
        assert re.fullmatch(r"0 0 \d+ \d+", each["viewbox"])
    assert len(page.named("details")) == len(charts)
    assert "2026-01-05 −3,054 +400 −2,654" in page.text
    assert "2026-04 5,000 1,946 −3,054" in page.text
    assert "never 20 540 +520" in page.text
    assert {each["scope"] for each in page.named("th")} == {"row", "col"}


def test_it_fits_a_telephone_and_paper(text: str) -> None:
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in Page(text).named("meta")
    assert "@media (max-width: 639px)" in text
    assert "@media print" in text


def luminance(colour: str) -> float:
    """The relative luminance of `#rrggbb`, as the accessibility guidelines define it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("colour", ["#1b1f24", "#4a525c", "#1f5fa8", "#b34700", "#5b6470", "#8a3600"])
def test_colours_of_text_and_bars_stand_out_from_white(text: str, colour: str) -> None:
    # More than 4.5 is asked of text, 3 of bars; the palest background on which text stands is #f4f5f7.
    assert colour in text
    assert (luminance("#f4f5f7") + 0.05) / (luminance(colour) + 0.05) > 4.5


def test_the_same_run_makes_the_same_page(tmp_path: Path) -> None:
    assert page_of(tmp_path / "a") == page_of(tmp_path / "b")


def test_all_text_is_escaped(tmp_path: Path) -> None:
    lines = [line(HOSTILE, 100, 10, rule_id=HOSTILE, fact_type=HOSTILE), line("ben", 0, 5, rule_id=HOSTILE)]
    members = [member(HOSTILE, 100, 10), member("ben", 0, 5)]
    text = page_of(tmp_path, plan(), lines, members)
    page = Page(text)
    assert "<b>" not in text
    assert not page.named("b")
    assert f"Member {HOSTILE} loses 90 points" in page.text
    assert f"under “{HOSTILE}”, which the draft does not have" in page.text
    assert f"tallybook rescore why --draft half 0001 {shlex.quote(HOSTILE)}" in page.text


def test_a_member_id_that_looks_like_an_option_is_typed_as_a_member(tmp_path: Path) -> None:
    text = page_of(tmp_path, plan(), [line("-x", 10, 5)], [member("-x", 10, 5)])
    assert "tallybook rescore why --draft half -- 0001 -x" in Page(text).text


def test_without_a_point_value_the_page_says_how_to_give_one(tmp_path: Path) -> None:
    said = Page(page_of(tmp_path, plan(point_value=""))).text
    assert "Worth of the change not known no value of a point was given to this run" in said
    assert '--point-value "0.01 EUR"' in said
    assert "The liability would have been 2,534 points (less than 1 %) lower." in said


def test_a_side_that_is_too_small_is_not_drawn_but_told(tmp_path: Path) -> None:
    lines = [line("anna", 90_000, 0), line("ben", 0, 40)]
    page = Page(page_of(tmp_path, plan(), lines, [member("anna", 90_000, 0), member("ben", 0, 40)]))
    assert "Gains, 40 points in all, are too small to be drawn." in page.text
    assert "Gains are too small to be drawn; their numbers stand beside." in page.text
    assert "2026-01-05 −90,000 +40 −89,960" in page.text


def test_weeks_that_are_not_whole_are_told(tmp_path: Path) -> None:
    # The period begins on Thursday, 1 January, and the books end with Sunday, 1 March.
    first, last = (parse_instant(f"{day}T12:00:00Z") for day in ("2026-01-02", "2026-03-01"))
    lines = [line("anna", 10, 5, occurred_at=first), line("anna", 10, 5, occurred_at=last)]
    said = Page(page_of(tmp_path, plan(), lines, [member("anna", 20, 10)])).text
    assert "The first bar begins on 1 January 2026, with the period." in said
    assert "The last bar ends" not in said


def test_a_last_week_that_is_not_whole_is_told(tmp_path: Path) -> None:
    saturday = msgspec.structs.replace(plan(), last_tick=parse_instant("2026-02-28T12:00:00Z"))
    friday = parse_instant("2026-02-27T12:00:00Z")
    said = Page(page_of(tmp_path, saturday, [line("anna", 10, 5, occurred_at=friday)], [member("anna", 20, 15)])).text
    assert "The last bar ends on 28 February 2026." in said


def test_nothing_changes(tmp_path: Path) -> None:
    page = Page(page_of(tmp_path, plan(), [], []))
    assert "Nothing would have been otherwise for any of 40 members." in page.text
    assert not page.named("svg")
    assert not page.named("table")
    assert "rescore why" not in page.text


def test_only_the_expiry_changes(tmp_path: Path) -> None:
    lots = LotsLeft(APRIL, 100, 0), LotsLeft(APRIL + 1, 0, 100)
    lines = [line("anna", 100, 100, expires_before=APRIL, expires_after=APRIL + 1)]
    page = Page(page_of(tmp_path, plan(), lines, [member("anna", 100, 100, *lots)]))
    assert "every member would have had as many points on 1 March 2026, but some with another expiry." in page.text
    assert "The liability would have been the same." in page.text
    assert "39 of 40; 98 %; 1 more have the same balance" in page.text
    assert [each["id"] for each in page.named("svg")] == ["chart-by-size", "chart-by-month"]
    assert "Nobody loses." in page.text


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        (Selection(per_million=50_000), "All figures are those of a sample of about 5 % of the members"),
        (Selection(members=frozenset({"anna"})), "All figures are those of 1 member who were named"),
    ],
)
def test_a_part_of_the_members_is_said_to_be_one(tmp_path: Path, selection: Selection, said: str) -> None:
    text = Page(page_of(tmp_path, plan(selection=selection), is_proven=False)).text
    assert said in text
    assert "Not checked: only some members were decided again" in text


def test_books_without_a_digest_prove_nothing(tmp_path: Path) -> None:
    said = Page(page_of(tmp_path, is_proven=False)).text
    assert "Not checked: the books keep nothing with which" in said


def test_other_drafts_of_the_run_are_named(tmp_path: Path) -> None:
    said = Page(page_of(tmp_path, plan(draft("half"), draft("third"), draft("none")))).text
    assert "It has other drafts too: third, none." in said


def test_huge_numbers_fit(tmp_path: Path) -> None:
    most = 2**63 - 1
    lines = [line("anna", most, 0), line("ben", 0, 1)]
    page = Page(page_of(tmp_path, plan(point_value=""), lines, [member("anna", most, 0), member("ben", 0, 1)]))
    assert "Member anna loses 9,223,372,036,854,775,807 points" in page.text
    assert len(page.named("svg")) == 3
