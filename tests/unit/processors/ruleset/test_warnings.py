"""A warning that something never happens is true: tried against every value and every half hour that could differ."""

from datetime import date, datetime, timedelta
from itertools import product
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.decider.fields.condition_source import line_function, line_test
from processors.decider.fields.conditions import Active, LineConditions
from processors.decider.fields.satisfiable import asked_of_line, empty_field, ever_active, is_covered, together
from processors.decider.local_day import term
from processors.decider.local_time import LocalMoment, Zone
from processors.ruleset.parse import parse_ruleset
from processors.zones import zone_data
from schemas.facts import PurchaseLine
from tests.support.deciders import load
from tests.support.random_rulesets import ZONES, RulesetMaker, block

TEXTS = ("a", "b", "c", "other")
NUMBERS = range(-1, 8)  # one more than any condition below names, and one below 0
LINES = [
    PurchaseLine(sku="s", amount_minor=amount, category=category, brand=brand)
    for amount, category, brand in product(NUMBERS, TEXTS, TEXTS)
]
UTC_ZONE = Zone("UTC", zone_data("UTC"))
MONDAY = datetime(2026, 2, 23)  # noqa: DTZ001 - a local time is naive
HALF_HOURS = [1_771_804_800_000 + n * 1_800_000 for n in range(-96, 480)]

some_texts = st.lists(st.sampled_from(TEXTS[:3]), min_size=1, max_size=3, unique=True)
text_conditions = st.one_of(st.none(), some_texts, some_texts.map(lambda values: {"not_in": values}))
number_conditions = st.one_of(
    st.none(),
    st.tuples(st.integers(0, 6), st.integers(0, 6)).map(lambda pair: {"min": min(pair), "max": max(pair)}),
    st.integers(1, 5).map(lambda low: {"min": low}),
)
lines = (
    st.fixed_dictionaries({"category": text_conditions, "brand": text_conditions, "amount_minor": number_conditions})
    .map(lambda made: {name: condition for name, condition in made.items() if condition is not None})
    .filter(bool)
    .map(LineConditions.model_validate)
)


def matching(conditions: LineConditions) -> set[int]:
    test = line_function(line_test(conditions, None))
    return {at for at, line in enumerate(LINES) if test(line)}


@given(lines, lines)
@settings(deadline=None)
def test_conditions_are_called_contradictory_only_if_they_are(one: LineConditions, two: LineConditions) -> None:
    joined = together([asked_of_line(one), asked_of_line(two)])
    assert (empty_field(joined) is not None) == (not matching(one) & matching(two))


@given(lines, lines)
@settings(deadline=None)
def test_lines_are_called_excluded_only_if_all_are(one: LineConditions, excluded: LineConditions) -> None:
    if is_covered(asked_of_line(one), asked_of_line(excluded)):
        assert matching(one) <= matching(excluded)
    elif empty_field(asked_of_line(one)) is None and one.asked() == excluded.asked():
        assert not matching(one) <= matching(excluded)


def half_hours(low: int, high: int) -> st.SearchStrategy[str]:
    return st.integers(low, high).map(lambda n: (MONDAY + timedelta(minutes=30 * n)).isoformat(timespec="minutes"))


clock = st.integers(0, 47).map(lambda n: f"{n // 2:02}:{n % 2 * 30:02}")
actives = (
    st.fixed_dictionaries(
        {"from": half_hours(0, 200), "until": half_hours(0, 360)},
        optional={
            "weekdays": st.lists(st.sampled_from(("monday", "tuesday", "sunday")), min_size=1, max_size=2, unique=True),
            "days_of_month": st.lists(st.sampled_from((1, 24, 25, 28)), min_size=1, max_size=2, unique=True),
            "dates": st.lists(
                st.sampled_from(("02-24", "02-28", "03-01", "02-29")), min_size=1, max_size=2, unique=True
            ),
            "hours": st.tuples(clock, clock)
            .filter(lambda pair: pair[0] != pair[1])
            .map(lambda pair: {"from": pair[0], "until": pair[1]}),
        },
    )
).map(Active.model_validate)


@given(st.lists(actives, min_size=1, max_size=2))
@settings(max_examples=150, deadline=None)
def test_a_time_is_called_empty_only_if_it_is(parts: list[Active]) -> None:
    terms = [term(0, part, UTC_ZONE) for part in parts]
    moments = (LocalMoment(UTC_ZONE, at) for at in HALF_HOURS)
    assert ever_active(parts) == any(not any(each.unmet_at(moment) for each in terms) for moment in moments)


def test_what_recurs_for_ever_is_found_however_rare() -> None:
    for weekday in ("monday", "sunday"):
        assert ever_active([Active.model_validate({"weekdays": [weekday], "dates": ["02-29"]})])
    assert not ever_active([Active.model_validate({"days_of_month": [31], "dates": ["02-28", "04-30"]})])
    late = {"from": "2199-12-31", "days_of_month": [30]}
    assert not ever_active([Active.model_validate(late)])


def test_random_rulesets_are_read_as_the_models_say() -> None:
    warned = 0
    for seed in range(150):
        rng = Random(seed)
        text = block(RulesetMaker(rng, rng.choice(ZONES), date(2026, 3, 1), "v1", "").document())
        ruleset, warnings = parse_ruleset(text, "random.yaml")
        assert ruleset == load(text)
        warned += bool(warnings)
    assert 0 < warned < 150
