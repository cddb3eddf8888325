"""Which ruleset is in force at an instant, by publications and by the layers of an edition."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.decider.partition_state import Partition, UnknownSemanticsError
from processors.decider.rules.compile import CompiledRuleset, compile_published
from processors.decider.rules.timeline import RuleTimeline, in_force
from schemas.facts import JournalOpened, RulesetPublished
from schemas.posting import RuleLayer, RuleSpan
from tests.support.deciders import load, published
from tests.support.small_folder import RULES

OPENED = JournalOpened("d", 1, 1, 0, 1, 1)


def rules(version: str, effective_from: int = 0, semantics: int = 1) -> RulesetPublished:
    return RulesetPublished(version, "", effective_from, semantics, "", "UTC", b"")


def layer(covers: int, *spans: tuple[int, int | None, str]) -> RuleLayer:
    return RuleLayer(covers, tuple(RuleSpan(start, rules(version), until) for start, until, version in spans))


def versions(timeline: RuleTimeline, instants: Sequence[int]) -> str:
    found = [timeline.at(instant) for instant in instants]
    return "".join("-" if one is None else one.version for one in found)


@pytest.mark.parametrize(
    ("layers", "publications", "in_force_at_0_to_9"),
    [
        pytest.param([], [], "----------", id="nothing published"),
        pytest.param([], [("a", 2), ("b", 5)], "--aaabbbbb", id="as published"),
        pytest.param([], [("a", 5), ("b", 2), ("c", 5)], "--bbbccccc", id="the later publication wins a tie"),
        pytest.param([layer(1)], [("a", 2), ("b", 5)], "--aaabbbbb", id="an empty layer changes nothing"),
        pytest.param([layer(0, (3, None, "x"))], [], "---xxxxxxx", id="a span without publications"),
        pytest.param([layer(1, (4, None, "x"))], [("a", 2)], "--aaxxxxxx", id="a span without end"),
        pytest.param([layer(1, (4, 7, "x"))], [("a", 2)], "--aaxxxaaa", id="behind its end the publication again"),
        pytest.param([layer(2, (4, 7, "x"))], [("a", 2), ("b", 5)], "--aaxxxbbb", id="what the span covers is masked"),
        pytest.param([layer(1, (4, 7, "x"))], [("a", 2), ("b", 5)], "--aaxbbbbb", id="a later publication wins inside"),
        pytest.param([layer(1, (4, 7, "x"))], [("a", 2), ("b", 3)], "--abxxxbbb", id="but not from before the span"),
        pytest.param([layer(1, (4, 7, "x"))], [("a", 2), ("b", 4)], "--aabbbbbb", id="nor is its beginning before it"),
        pytest.param(
            [layer(1, (4, 7, "x"))], [("a", 6), ("b", 5)], "----xbbaaa", id="the covered one comes back behind"
        ),
        pytest.param([layer(1, (3, 5, "x"), (5, 8, "y"))], [("a", 2)], "--axxyyyaa", id="two spans"),
        pytest.param([layer(1, (3, 8, "x")), layer(1, (5, 6, "y"))], [("a", 2)], "--axxyxxaa", id="two layers"),
        pytest.param(
            [layer(1, (3, 8, "x")), layer(2, (5, 7, "y"))],
            [("a", 2), ("b", 4), ("c", 6)],
            "--axbycccc",
            id="each layer covers the publications at its own opening",
        ),
    ],
)
def test_rules_in_force(layers: list[RuleLayer], publications: list[tuple[str, int]], in_force_at_0_to_9: str) -> None:
    timeline = RuleTimeline(layers)
    for version, effective_from in publications:
        timeline.publish(rules(version, effective_from))
    assert versions(timeline, range(10)) == in_force_at_0_to_9


def test_a_span_holds_before_anything_is_published() -> None:
    timeline = RuleTimeline([layer(1, (4, None, "x"))])
    assert versions(timeline, range(6)) == "----xx"
    timeline.publish(rules("a", 5))
    assert versions(timeline, range(6)) == "----xx"


@given(st.lists(st.integers(0, 5), max_size=6), st.integers(0, 6))
def test_without_layers_it_is_the_latest_in_effect_and_the_later_of_two(starts: list[int], asked: int) -> None:
    timeline = RuleTimeline()
    for number, effective_from in enumerate(starts):
        timeline.publish(rules(str(number), effective_from))
    best = max(((start, number) for number, start in enumerate(starts) if start <= asked), default=None)
    found = timeline.at(asked)
    assert (None if found is None else found.version) == (None if best is None else str(best[1]))
    assert found is in_force(timeline.publications, asked)


def test_the_decider_compiles_each_publication_once() -> None:
    compiled: list[str] = []

    def compile_and_note(fact: RulesetPublished) -> CompiledRuleset:
        compiled.append(fact.version)
        return compile_published(fact, load)

    one, other = (published(RULES, "UTC", version=version, effective_from=at) for version, at in (("1", 2), ("2", 5)))
    span = RuleSpan(3, published(RULES, "UTC", version="x", effective_from=0), 7)
    partition = Partition(OPENED, (RuleLayer(1, (span,)),), compile_and_note)
    for fact in (one, other, one):
        partition.publish(fact)
    assert sorted(compiled) == ["1", "2", "x"]
    assert [partition.published_at(instant) for instant in (1, 2, 3, 5)] == [None, one, span.published, other]
    assert partition.rules_at(1) is None


@pytest.mark.parametrize("where", ["published", "in a layer"])
def test_unknown_semantics_end_the_process(where: str) -> None:
    unknown = rules("9", semantics=9)
    layers = (RuleLayer(0, (RuleSpan(0, unknown),)),) if where == "in a layer" else ()
    with pytest.raises(UnknownSemanticsError, match="semantics 9"):
        Partition(OPENED, layers, lambda fact: compile_published(fact, load)).publish(unknown)
